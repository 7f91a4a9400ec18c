-- Rejects whose retention has ended.
delete from rejects where created_at < now() - make_interval(days => $1)
