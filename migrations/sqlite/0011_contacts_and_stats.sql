-- People as businesses know them, messages that take the place of others, and counters.

ALTER TABLE businesses ADD COLUMN opt_out_keywords INTEGER NOT NULL DEFAULT 0;

-- Who has more than one name, does not want to be written to, or is withheld marketing. key: hash of the business
-- and the canonical name.
CREATE TABLE contacts (
    business             INTEGER NOT NULL,
    key                  INTEGER NOT NULL,
    canonical            TEXT    NOT NULL,
    opt_out_scope        INTEGER, -- 0 marketing 1 all
    opt_out_source       INTEGER, -- 0 api 1 keyword 2 user preference 3 provider
    opt_out_at           INTEGER,
    preference_at        INTEGER, -- of the last wish that counted, also of one that lifted
    marketing_hold_until INTEGER,
    PRIMARY KEY (business, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_opted_out ON contacts (business, key) WHERE opt_out_scope IS NOT NULL;

-- Only of names that are not their contact's canonical one. alias: hash of the business and the name.
CREATE TABLE contact_aliases (
    business INTEGER NOT NULL,
    alias    INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    contact  INTEGER NOT NULL,
    PRIMARY KEY (business, alias)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_aliases_contact ON contact_aliases (business, contact);

-- When a person last wrote to a number. A person with one name has no other row than this.
CREATE TABLE contact_windows (
    business         INTEGER NOT NULL,
    contact          INTEGER NOT NULL,
    connection       BLOB    NOT NULL,
    last_inbound_at  INTEGER NOT NULL,
    free_entry_until INTEGER,
    PRIMARY KEY (business, contact, connection)
) STRICT, WITHOUT ROWID;

-- Since when webhooks are heard without a gap: of the installation under the id 0, and of connections that were
-- connected again.
CREATE TABLE listening (
    connection BLOB    NOT NULL PRIMARY KEY,
    since      INTEGER NOT NULL,
    heard_at   INTEGER NOT NULL
) STRICT;

-- How many people the numbers of a portfolio may write to within 24 hours; absent where without limit.
CREATE TABLE portfolios (
    id      TEXT    NOT NULL PRIMARY KEY,
    per_day INTEGER,
    said_at INTEGER NOT NULL
) STRICT;

-- Whom they wrote to outside service windows. person: hash of a name, whichever business wrote; hours since 1970.
CREATE TABLE portfolio_reach (
    portfolio  TEXT    NOT NULL,
    person     INTEGER NOT NULL,
    from_hour  INTEGER NOT NULL,
    until_hour INTEGER NOT NULL,
    PRIMARY KEY (portfolio, person, from_hour)
) STRICT;
CREATE INDEX portfolio_reach_over ON portfolio_reach (until_hour);

ALTER TABLE outbox ADD COLUMN replay_of BLOB;
CREATE INDEX outbox_replay_of ON outbox (replay_of) WHERE replay_of IS NOT NULL;
-- What did not go out, in the order of the listing.
CREATE INDEX outbox_dead ON outbox (business, id) WHERE state > 4;
CREATE INDEX events_failed ON events (business, message) WHERE status = 'failed';

CREATE TABLE stats_hours (
    account    INTEGER NOT NULL,
    business   INTEGER NOT NULL,
    connection BLOB    NOT NULL,
    hour       INTEGER NOT NULL, -- when it began
    kind       TEXT    NOT NULL, -- Cloud API type of the message; empty where it is not known
    counter    INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    PRIMARY KEY (business, hour, connection, kind, counter)
) STRICT, WITHOUT ROWID;
CREATE INDEX stats_hours_account ON stats_hours (account, hour);

-- How far each source has been counted.
CREATE TABLE stats_progress (
    source   INTEGER NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT;
INSERT INTO stats_progress (source, position) VALUES (0, 0), (1, 0), (2, 0);
