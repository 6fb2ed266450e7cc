-- One row for each attempt of an owner to connect a number. Secrets of links, browsers and windows are hashes.

CREATE TABLE onboarding_sessions (
    id                 BLOB    NOT NULL PRIMARY KEY,
    account            INTEGER NOT NULL REFERENCES accounts (id),
    business           TEXT    NOT NULL, -- the caller's reference
    transport          TEXT    NOT NULL,
    provider           TEXT,
    return_url         TEXT,
    app_return_uri     TEXT,
    locale             TEXT    NOT NULL,
    phone_hint         TEXT,
    replace_connection BLOB,
    status             TEXT    NOT NULL,
    problem            TEXT,
    steps              TEXT    NOT NULL, -- JSON list
    connection         BLOB,
    link_hash          BLOB    NOT NULL,
    browser_hash       BLOB,
    state_hash         BLOB,
    created_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    version            INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX onboarding_sessions_link_hash ON onboarding_sessions (link_hash);
CREATE UNIQUE INDEX onboarding_sessions_state_hash ON onboarding_sessions (state_hash);
CREATE INDEX onboarding_sessions_browser_hash ON onboarding_sessions (browser_hash) WHERE browser_hash IS NOT NULL;
CREATE INDEX onboarding_sessions_business ON onboarding_sessions (account, business);
