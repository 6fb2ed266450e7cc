-- Of what we gave to the provider: until when it knows its id.
ALTER TABLE media ADD COLUMN provider_until INTEGER;
-- Of what a customer sent and is still pending: tries that failed, when the next is due, and what the provider said
-- that the content is.
ALTER TABLE media ADD COLUMN fetch_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE media ADD COLUMN fetch_due INTEGER;
ALTER TABLE media ADD COLUMN fetch_sha256 BLOB;
CREATE INDEX media_known_as ON media (provider_id, account) WHERE provider_id IS NOT NULL;
CREATE INDEX media_fetch ON media (fetch_due) WHERE state = 'pending' AND fetch_due IS NOT NULL;
