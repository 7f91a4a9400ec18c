-- Batches whose retention has ended.
delete from batches where started_at < now() - make_interval(days => $1)
