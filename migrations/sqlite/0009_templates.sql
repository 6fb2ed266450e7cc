-- The message templates of each account at a provider.

CREATE TABLE templates (
    provider   TEXT    NOT NULL,
    waba_id    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    status     TEXT    NOT NULL, -- the platform's word
    category   TEXT,
    quality    TEXT    NOT NULL,
    shape      TEXT    NOT NULL, -- JSON: what a message has to fill
    synced_at  INTEGER NOT NULL, -- when the listing began that it stood in
    changed_at INTEGER,          -- of the last news about it
    PRIMARY KEY (provider, waba_id, name, language)
) STRICT, WITHOUT ROWID;

-- Accounts whose templates were listed, and when that began.
CREATE TABLE template_syncs (
    provider  TEXT    NOT NULL,
    waba_id   TEXT    NOT NULL,
    synced_at INTEGER NOT NULL,
    PRIMARY KEY (provider, waba_id)
) STRICT, WITHOUT ROWID;
