-- One row for each number of a business on one transport, and what lets us act through an official one.

CREATE TABLE connections (
    id             BLOB    NOT NULL PRIMARY KEY,
    account        INTEGER NOT NULL,
    business       INTEGER NOT NULL REFERENCES businesses (id),
    provider       TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    reason         TEXT,
    graph_id       TEXT,
    waba_id        TEXT,
    phone_number   TEXT,
    verified_name  TEXT,
    quality_rating TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX connections_graph_id ON connections (graph_id);
CREATE INDEX connections_account ON connections (account, id);
CREATE INDEX connections_business ON connections (business, id);
CREATE INDEX connections_waba ON connections (waba_id) WHERE waba_id IS NOT NULL;

-- status and reason repeat those of the connection and are written in the same commit.
CREATE TABLE official_whatsapp_credentials (
    connection_id    BLOB    NOT NULL PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    business_id      INTEGER NOT NULL,
    waba_id          TEXT    NOT NULL,
    phone_number_id  TEXT,
    app_id           TEXT    NOT NULL,
    api_provider     TEXT    NOT NULL,
    access_token     BLOB    NOT NULL, -- sealed
    pin              BLOB,             -- sealed
    scopes           TEXT    NOT NULL, -- JSON list of words
    token_expiration INTEGER,
    status           TEXT    NOT NULL,
    reason           TEXT
) STRICT;
CREATE INDEX official_whatsapp_credentials_business ON official_whatsapp_credentials (business_id);
