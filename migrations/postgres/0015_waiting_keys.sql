-- Whether sends at the Graph door are answered when the provider has answered (1), unless the call says otherwise, or when
-- they are durable (0).

ALTER TABLE api_keys ADD COLUMN waits BIGINT NOT NULL DEFAULT 0;
