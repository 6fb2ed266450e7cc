-- How a connection reads its queue, and how fast it sends.

-- A message that is claimed in the commit that accepts it is in the first of these alone.
DROP INDEX outbox_unfinished;
CREATE INDEX outbox_claimed ON outbox (connection, seq) WHERE state IN (1, 2);
CREATE INDEX outbox_waiting ON outbox (connection, priority, seq) WHERE state IN (0, 3) AND send_at IS NULL;
CREATE INDEX outbox_scheduled ON outbox (connection, priority, send_at, seq)
    WHERE state IN (0, 3) AND send_at IS NOT NULL;
CREATE INDEX outbox_lane ON outbox (connection, lane, seq) WHERE state IN (0, 3) AND ordering <> 1;
CREATE INDEX outbox_expiry ON outbox (connection, expires_at) WHERE state IN (0, 3);
CREATE INDEX outbox_held ON outbox (connection, sent_at) WHERE state = 4 AND ordering = 2;

ALTER TABLE connections ADD COLUMN messages_per_second INTEGER; -- what the platform allows; the default where absent
ALTER TABLE connections ADD COLUMN pace_per_minute INTEGER; -- slower, as its owner asked
ALTER TABLE connections ADD COLUMN pace_jitter INTEGER; -- per cent
ALTER TABLE connections ADD COLUMN slowed_to INTEGER; -- messages a second, after the platform complained …
ALTER TABLE connections ADD COLUMN slowed_at INTEGER; -- … at this time
ALTER TABLE connections ADD COLUMN probe_at INTEGER; -- while suspended: when one message tries whether the block is over
ALTER TABLE connections ADD COLUMN probes INTEGER; -- how many tried
