-- A step of ending the retention of rejects: so many at most, the oldest first.
delete from rejects
where (tenant_id, id) in (
    select tenant_id, id from rejects where created_at < now() - make_interval(days => $1) order by created_at, id limit $2
)
