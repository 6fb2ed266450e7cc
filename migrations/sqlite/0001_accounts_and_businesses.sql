-- Who calls us, for whom, and the keys that seal what is kept for them.

CREATE TABLE accounts (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id         BLOB    NOT NULL PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES accounts (id),
    hash       BLOB    NOT NULL,
    label      TEXT    NOT NULL,
    scopes     TEXT    NOT NULL, -- JSON list of words
    businesses TEXT    NOT NULL, -- JSON list of references; empty: all of the account
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);

-- The key is never used again: it is part of what sealed values are bound to.
CREATE TABLE businesses (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account    INTEGER NOT NULL REFERENCES accounts (id),
    reference  TEXT, -- absent once erased, so that the caller can use it again
    name       TEXT,
    country    TEXT    NOT NULL,
    locale     TEXT    NOT NULL,
    routing    TEXT    NOT NULL,
    partition  INTEGER NOT NULL,
    erased     INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX businesses_reference ON businesses (account, reference);

-- No reference to businesses: owner 0 is the installation itself.
CREATE TABLE data_keys (
    owner         INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    master_key_id TEXT    NOT NULL,
    wrapped       BLOB    NOT NULL,
    PRIMARY KEY (owner, generation)
) STRICT, WITHOUT ROWID;
