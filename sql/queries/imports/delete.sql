-- What is no longer in the other hub. Only what came from there.
with touched as (
    select tenant_id, submission_id, field_id from feedback_records
    where tenant_id = $1 and batch_id = $2 and id = any($3::uuid[])
),
changed as (/* include search/_changed */)
delete from feedback_records where tenant_id = $1 and batch_id = $2 and id = any($3::uuid[])
