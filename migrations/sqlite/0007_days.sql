-- On Postgres each day gets a partition of its own. Here one table holds all of them, and what is old is deleted a few
-- rows at a time, in the order of the keys that exist.

-- For listings by state: what is not on the ordinary way from being sent to sent.
CREATE INDEX outbox_states ON outbox (account, state, id) WHERE state NOT IN (1, 4);
