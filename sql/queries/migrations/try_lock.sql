-- One migrator at a time. Polled and never waited for: a session that waits here holds a snapshot, and `create index
-- concurrently` in the session that has the lock would wait for that snapshot for ever.
select pg_try_advisory_lock(7166017265413)
