-- Batches whose retention has ended: also those that were broken off.
delete from batches where started_at < now() - make_interval(days => $1)
