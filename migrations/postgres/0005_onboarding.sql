-- One row for each attempt of an owner to connect a number. Secrets of links, browsers and windows are hashes.

CREATE TABLE onboarding_sessions (
    id                 UUID   NOT NULL PRIMARY KEY,
    account            BIGINT NOT NULL REFERENCES accounts (id),
    business           TEXT   NOT NULL, -- the caller's reference
    transport          TEXT   NOT NULL,
    provider           TEXT,
    return_url         TEXT,
    app_return_uri     TEXT,
    locale             TEXT   NOT NULL,
    phone_hint         TEXT,
    replace_connection UUID,
    status             TEXT   NOT NULL,
    problem            TEXT,
    steps              TEXT   NOT NULL, -- JSON list
    connection         UUID,
    link_hash          BYTEA  NOT NULL,
    browser_hash       BYTEA,
    state_hash         BYTEA,
    created_at         BIGINT NOT NULL,
    expires_at         BIGINT NOT NULL,
    version            BIGINT NOT NULL
);
CREATE UNIQUE INDEX onboarding_sessions_link_hash ON onboarding_sessions (link_hash);
CREATE UNIQUE INDEX onboarding_sessions_state_hash ON onboarding_sessions (state_hash);
CREATE INDEX onboarding_sessions_browser_hash ON onboarding_sessions (browser_hash) WHERE browser_hash IS NOT NULL;
CREATE INDEX onboarding_sessions_business ON onboarding_sessions (account, business);
