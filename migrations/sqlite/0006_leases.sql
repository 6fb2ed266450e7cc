-- Who may act: incarnations of nodes, and which of them holds each partition under which epoch.

CREATE TABLE nodes (
    incarnation INTEGER NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    state       TEXT    NOT NULL, -- active or dead
    since       INTEGER NOT NULL,
    seen        INTEGER NOT NULL
) STRICT;

CREATE TABLE partitions (
    id    INTEGER NOT NULL PRIMARY KEY,
    owner INTEGER, -- an incarnation
    epoch INTEGER NOT NULL
) STRICT;

WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1023)
INSERT INTO partitions (id, owner, epoch) SELECT n, NULL, 0 FROM numbers;
