-- Each day a partition of its own, so that what is old goes in one piece. The gateway makes those of the days to come.

-- What the default partitions hold becomes one partition that ends with today. The new ones stay empty but for ids
-- of days that are gone, and for days that were not made in time.
DO $$
DECLARE
    day_ends TIMESTAMP := date_trunc('day', now() AT TIME ZONE 'UTC') + INTERVAL '1 day';
    -- The first id of tomorrow: ids begin with milliseconds.
    tomorrow UUID := (lpad(to_hex((extract(epoch FROM day_ends) * 1000)::BIGINT), 12, '0') || repeat('0', 20))::UUID;
    days TEXT;
BEGIN
    FOREACH days IN ARRAY ARRAY['outbox', 'outbox_body', 'events'] LOOP
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', days, days || '_rest');
        EXECUTE format('ALTER TABLE %I RENAME TO %I', days || '_rest', days || '_before');
        EXECUTE format('ALTER INDEX %I RENAME TO %I', days || '_rest_pkey', days || '_before_pkey');
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', days || '_rest', days);
        -- A provider whose clock runs ahead may have told of tomorrow.
        EXECUTE format('WITH ahead AS (DELETE FROM %I WHERE id >= %L RETURNING *) INSERT INTO %I SELECT * FROM ahead',
            days || '_before', tomorrow, days);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)',
            days, days || '_before', tomorrow);
    END LOOP;
END $$;

ALTER TABLE outbox_body_rest ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE events_rest ALTER COLUMN body SET STORAGE EXTERNAL;

-- For listings by state: what is not on the ordinary way from being sent to sent.
CREATE INDEX outbox_states ON outbox (account, state, id) WHERE state NOT IN (1, 4);
