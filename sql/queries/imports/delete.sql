-- What is no longer in the other hub. Only what came from there.
with gone as (
    delete from feedback_records where tenant_id = $1 and batch_id = $2 and id = any($3::uuid[])
    returning tenant_id, id, submission_id, field_id
),
told as (/* include changes/_deleted */),
touched as (select tenant_id, submission_id, field_id from gone),
changed as (/* include search/_changed */)
select count(*) from gone
