-- What happened, who wants to hear of it, and what they did not take yet.

-- seq is the position in the one stream; cursors point at it, so it is never given twice, also after deletes.
CREATE TABLE events (
    seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE, -- derived from what it tells: hearing it twice makes one event
    event_type  INTEGER NOT NULL,
    account     INTEGER NOT NULL,
    business    INTEGER NOT NULL,
    connection  BLOB,
    message     BLOB,
    status      TEXT, -- the delivery status a report tells
    occurred_at INTEGER NOT NULL,
    body        BLOB    NOT NULL -- sealed
) STRICT;
CREATE INDEX events_business ON events (business, seq);

CREATE TABLE endpoints (
    id         BLOB    NOT NULL PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES accounts (id),
    business   INTEGER REFERENCES businesses (id),
    url        TEXT    NOT NULL,
    events     TEXT    NOT NULL, -- JSON list of types; empty: all
    format     TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    secret     BLOB    NOT NULL, -- sealed
    cursor     INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX endpoints_account ON endpoints (account, id);
CREATE INDEX endpoints_business ON endpoints (business) WHERE business IS NOT NULL;

CREATE TABLE failed_deliveries (
    id          BLOB    NOT NULL PRIMARY KEY,
    endpoint    BLOB    NOT NULL,
    event_seq   INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    state       INTEGER NOT NULL, -- 0 retrying 1 delivered 2 parked
    next_at     INTEGER NOT NULL,
    last_status INTEGER,
    last_error  TEXT
) STRICT;
CREATE INDEX failed_deliveries_endpoint ON failed_deliveries (endpoint, id);
CREATE INDEX failed_deliveries_due ON failed_deliveries (endpoint, next_at) WHERE state = 0;
CREATE INDEX failed_deliveries_event ON failed_deliveries (event_seq);

-- Webhooks that verified but belong to no connection of ours; only the newest are kept.
CREATE TABLE quarantine (
    seq         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id          BLOB    NOT NULL UNIQUE,
    provider    TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    body        BLOB    NOT NULL -- sealed
) STRICT;
