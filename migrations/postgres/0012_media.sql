-- Images, voice notes and documents. Their content is kept outside the database, under their ids.

CREATE TABLE media (
    id          UUID   NOT NULL PRIMARY KEY,
    account     BIGINT NOT NULL,
    business    BIGINT NOT NULL,
    connection  UUID   NOT NULL,
    direction   TEXT   NOT NULL, -- in out
    provider_id TEXT, -- the provider's name for it on the connection
    mime_type   TEXT   NOT NULL,
    file_name   BYTEA, -- sealed
    size        BIGINT, -- of the content before it was sealed, known once it is stored
    sha256      BYTEA, -- the same
    state       TEXT   NOT NULL, -- pending stored failed gone
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX media_provider_id ON media (connection, provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX media_business ON media (business);
CREATE INDEX media_due ON media (expires_at) WHERE state <> 'gone';
CREATE INDEX media_gone ON media (id) WHERE state = 'gone';

-- Of erased businesses: the content is unreadable without their keys, and is yet to be deleted.
CREATE TABLE erased_media (
    id UUID NOT NULL PRIMARY KEY
);
