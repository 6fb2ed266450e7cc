-- One row for each number of a business on one transport, and what lets us act through an official one.

CREATE TABLE connections (
    id             UUID   NOT NULL PRIMARY KEY,
    account        BIGINT NOT NULL,
    business       BIGINT NOT NULL REFERENCES businesses (id),
    provider       TEXT   NOT NULL,
    status         TEXT   NOT NULL,
    reason         TEXT,
    graph_id       TEXT,
    waba_id        TEXT,
    phone_number   TEXT,
    verified_name  TEXT,
    quality_rating TEXT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX connections_graph_id ON connections (graph_id);
CREATE INDEX connections_account ON connections (account, id);
CREATE INDEX connections_business ON connections (business, id);
CREATE INDEX connections_waba ON connections (waba_id) WHERE waba_id IS NOT NULL;

-- status and reason repeat those of the connection and are written in the same commit.
CREATE TABLE official_whatsapp_credentials (
    connection_id    UUID   NOT NULL PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    business_id      BIGINT NOT NULL,
    waba_id          TEXT   NOT NULL,
    phone_number_id  TEXT,
    app_id           TEXT   NOT NULL,
    api_provider     TEXT   NOT NULL,
    access_token     BYTEA  NOT NULL, -- sealed
    pin              BYTEA,           -- sealed
    scopes           TEXT   NOT NULL, -- JSON list of words
    token_expiration BIGINT,
    status           TEXT   NOT NULL,
    reason           TEXT
);
CREATE INDEX official_whatsapp_credentials_business ON official_whatsapp_credentials (business_id);
