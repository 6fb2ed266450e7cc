-- Who may act: incarnations of nodes, and which of them holds each partition under which epoch.

CREATE TABLE nodes (
    incarnation BIGINT NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    address     TEXT   NOT NULL,
    state       TEXT   NOT NULL, -- active or dead
    since       BIGINT NOT NULL,
    seen        BIGINT NOT NULL
) WITH (fillfactor = 50);

-- Every commit share-locks the rows of the partitions it names, every hand-over updates them.
CREATE TABLE partitions (
    id    BIGINT NOT NULL PRIMARY KEY,
    owner BIGINT, -- an incarnation
    epoch BIGINT NOT NULL
) WITH (fillfactor = 50);

INSERT INTO partitions (id, owner, epoch) SELECT n, NULL, 0 FROM generate_series(0, 1023) AS n;
