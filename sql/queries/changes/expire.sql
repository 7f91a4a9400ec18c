-- A step of forgetting what was told long ago: so many at most, the oldest first. A day later than it is promised, for the copies
-- that are being brought up to date at this moment.
delete from changes
where (tenant_id, changed_at, record_id, kind) in (
    select tenant_id, changed_at, record_id, kind from changes where changed_at < now() - make_interval(days => $1 + 1) order by changed_at limit $2
)
