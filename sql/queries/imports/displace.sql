-- What was posted here, too, makes place for the record of the other hub, which has its key under another id.
with gone as (
    delete from feedback_records as r
    using unnest($2::text[], $3::text[], $4::uuid[]) as wanted (submission_id, field_id, id)
    where r.tenant_id = $1 and r.submission_id = wanted.submission_id and r.field_id = wanted.field_id and r.id <> wanted.id
    returning r.tenant_id, r.id, r.submission_id, r.field_id
),
told as (/* include changes/_deleted */),
touched as (select tenant_id, submission_id, field_id from gone),
changed as (/* include search/_changed */)
select count(*) from gone
