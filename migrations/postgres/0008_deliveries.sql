-- How endpoints fare, and what each try of a delivery came to.

ALTER TABLE endpoints ADD COLUMN ordered BOOLEAN NOT NULL DEFAULT FALSE; -- events about one contact go one after the other
ALTER TABLE endpoints ADD COLUMN previous_secret BYTEA; -- sealed; signs too, until …
ALTER TABLE endpoints ADD COLUMN previous_until BIGINT; -- … this time
ALTER TABLE endpoints ADD COLUMN health BIGINT NOT NULL DEFAULT 0; -- 0 taking 1 failing 2 parked 3 gone
ALTER TABLE endpoints ADD COLUMN health_since BIGINT;

ALTER TABLE failed_deliveries ADD COLUMN order_key BIGINT; -- hash of connection and contact
ALTER TABLE failed_deliveries ADD COLUMN replayed BOOLEAN NOT NULL DEFAULT FALSE;
-- One row for each endpoint and event. Of those that a crash had doubled the first stays.
DELETE FROM failed_deliveries WHERE EXISTS (
    SELECT 1 FROM failed_deliveries earlier
    WHERE earlier.endpoint = failed_deliveries.endpoint AND earlier.event_seq = failed_deliveries.event_seq
      AND earlier.id < failed_deliveries.id
);
CREATE UNIQUE INDEX failed_deliveries_once ON failed_deliveries (endpoint, event_seq);
CREATE INDEX failed_deliveries_order ON failed_deliveries (endpoint, order_key, event_seq)
    WHERE state = 0 AND order_key IS NOT NULL;
CREATE INDEX failed_deliveries_state ON failed_deliveries (endpoint, state, id);

-- Written only where a row of failed_deliveries is written, so a foreign key costs little.
CREATE TABLE delivery_attempts (
    delivery   UUID   NOT NULL REFERENCES failed_deliveries (id) ON DELETE CASCADE,
    at         BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    status     BIGINT,
    error      TEXT,
    answer     BYTEA, -- how it began, sealed
    PRIMARY KEY (delivery, at)
);
