-- Messages from acceptance to the provider's answer. What is reported afterwards lies in events.

-- seq is the order of acceptance and is never given twice, also after deletes.
CREATE TABLE outbox (
    seq          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id           BLOB    NOT NULL UNIQUE,
    partition    INTEGER NOT NULL,
    account      INTEGER NOT NULL,
    business     INTEGER NOT NULL,
    connection   BLOB    NOT NULL,
    recipient    TEXT    NOT NULL,
    lane         INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    state        INTEGER NOT NULL, -- 0 accepted 1 sending 2 ambiguous 3 retry_wait 4 sent 5 failed 6 expired 7 cancelled
    epoch        INTEGER NOT NULL, -- of the last claim
    attempt      INTEGER NOT NULL,
    priority     INTEGER NOT NULL,
    on_ambiguous INTEGER NOT NULL,
    ordering     INTEGER NOT NULL DEFAULT 0, -- 0: strictly in order within the lane
    client_ref   TEXT,
    opaque       TEXT,
    provider_id  TEXT,
    error        TEXT, -- JSON of the provider's last error
    accepted_at  INTEGER NOT NULL,
    claimed_at   INTEGER,
    sent_at      INTEGER,
    next_at      INTEGER,
    send_at      INTEGER,
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_unfinished ON outbox (connection, seq) WHERE state < 4;
CREATE INDEX outbox_business ON outbox (business, id);
CREATE INDEX outbox_provider_id ON outbox (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX outbox_client_ref ON outbox (client_ref) WHERE client_ref IS NOT NULL;

CREATE TABLE outbox_body (
    id   BLOB NOT NULL PRIMARY KEY,
    body BLOB NOT NULL -- sealed
) STRICT;

-- What the row itself does not tell; nothing on the happy path.
CREATE TABLE timeline (
    seq     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    status  TEXT    NOT NULL,
    attempt INTEGER,
    reason  TEXT,
    error   TEXT
) STRICT;
CREATE INDEX timeline_message ON timeline (message);

CREATE TABLE idempotency (
    account       INTEGER NOT NULL,
    key_hash      BLOB    NOT NULL,
    route         TEXT    NOT NULL,
    body_hash     BLOB    NOT NULL,
    answer_status INTEGER NOT NULL,
    answer        TEXT    NOT NULL,
    message       BLOB, -- the message this key accepted, if it was one
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (account, key_hash)
) STRICT;
CREATE INDEX idempotency_created_at ON idempotency (created_at);
