-- People as businesses know them, messages that take the place of others, and counters.

ALTER TABLE businesses ADD COLUMN opt_out_keywords BOOLEAN NOT NULL DEFAULT FALSE;

-- Who has more than one name, does not want to be written to, or is withheld marketing. key: hash of the business
-- and the canonical name.
CREATE TABLE contacts (
    business             BIGINT NOT NULL,
    key                  BIGINT NOT NULL,
    canonical            TEXT NOT NULL,
    opt_out_scope        BIGINT, -- 0 marketing 1 all
    opt_out_source       BIGINT, -- 0 api 1 keyword 2 user preference 3 provider
    opt_out_at           BIGINT,
    preference_at        BIGINT, -- of the last wish that counted, also of one that lifted
    marketing_hold_until BIGINT,
    PRIMARY KEY (business, key)
);
CREATE INDEX contacts_opted_out ON contacts (business, key) WHERE opt_out_scope IS NOT NULL;

-- Only of names that are not their contact's canonical one. alias: hash of the business and the name.
CREATE TABLE contact_aliases (
    business BIGINT NOT NULL,
    alias    BIGINT NOT NULL,
    name     TEXT NOT NULL,
    contact  BIGINT NOT NULL,
    PRIMARY KEY (business, alias)
);
CREATE INDEX contact_aliases_contact ON contact_aliases (business, contact);

-- When a person last wrote to a number. A person with one name has no other row than this.
CREATE TABLE contact_windows (
    business         BIGINT NOT NULL,
    contact          BIGINT NOT NULL,
    connection       UUID NOT NULL,
    last_inbound_at  BIGINT NOT NULL,
    free_entry_until BIGINT,
    PRIMARY KEY (business, contact, connection)
);

-- Since when webhooks are heard without a gap: of the installation under the id 0, and of connections that were
-- connected again.
CREATE TABLE listening (
    connection UUID NOT NULL PRIMARY KEY,
    since      BIGINT NOT NULL,
    heard_at   BIGINT NOT NULL
);

-- How many people the numbers of a portfolio may write to within 24 hours; absent where without limit.
CREATE TABLE portfolios (
    id      TEXT   NOT NULL PRIMARY KEY,
    per_day BIGINT,
    said_at BIGINT NOT NULL
);

-- Whom they wrote to outside service windows. person: hash of a name, whichever business wrote; hours since 1970.
CREATE TABLE portfolio_reach (
    portfolio  TEXT   NOT NULL,
    person     BIGINT NOT NULL,
    from_hour  BIGINT NOT NULL,
    until_hour BIGINT NOT NULL,
    PRIMARY KEY (portfolio, person, from_hour)
);
CREATE INDEX portfolio_reach_over ON portfolio_reach (until_hour);

ALTER TABLE outbox ADD COLUMN replay_of UUID;
CREATE INDEX outbox_replay_of ON outbox (replay_of) WHERE replay_of IS NOT NULL;
-- What did not go out, in the order of the listing.
CREATE INDEX outbox_dead ON outbox (business, id) WHERE state > 4;
CREATE INDEX events_failed ON events (business, message) WHERE status = 'failed';

CREATE TABLE stats_hours (
    account    BIGINT NOT NULL,
    business   BIGINT NOT NULL,
    connection UUID NOT NULL,
    hour       BIGINT NOT NULL, -- when it began
    kind       TEXT NOT NULL, -- Cloud API type of the message; empty where it is not known
    counter    BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    PRIMARY KEY (business, hour, connection, kind, counter)
);
CREATE INDEX stats_hours_account ON stats_hours (account, hour);

-- How far each source has been counted.
CREATE TABLE stats_progress (
    source   BIGINT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
INSERT INTO stats_progress (source, position) VALUES (0, 0), (1, 0), (2, 0);
