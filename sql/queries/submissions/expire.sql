-- Payloads whose retention has ended, a step at a time; what is known of their submissions stays.
update submissions set payload = null
where payload is not null and (tenant_id, submission_id) in (
    select tenant_id, submission_id from submissions
    where payload is not null and received_at < now() - make_interval(days => $1)
    order by received_at
    limit $2
)
