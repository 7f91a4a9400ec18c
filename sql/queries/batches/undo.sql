-- A step of undoing: records of one tenant that the batch created and nobody changed since, found by their time of arrival.
with doomed as (
    select id, created_at
    from feedback_records
    where tenant_id = $1 and created_at >= $3 and ($4::timestamptz is null or created_at <= $4)
    and batch_id = $2 and updated_at = created_at
    order by created_at, id
    limit $5
),
gone as (
    delete from feedback_records as r
    using doomed as d
    where r.tenant_id = $1 and r.id = d.id and r.updated_at = r.created_at
    returning r.tenant_id, r.id, r.submission_id, r.field_id
),
told as (/* include changes/_deleted */),
touched as (select tenant_id, submission_id, field_id from gone),
changed as (/* include search/_changed */)
select (select count(*) from gone) as deleted, (select max(created_at) from doomed) as latest
