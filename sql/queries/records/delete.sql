-- One record by its id. What its marker is made of comes back.
with gone as (
    delete from feedback_records
    where id = $1 and tenant_id = $2
    returning tenant_id, id, submission_id, field_id, field_group_id,
        coalesce(metadata -> 'definition_missing' = 'true', false) as provisional
),
told as (/* include changes/_deleted */),
touched as (select tenant_id, submission_id, field_id from gone),
changed as (/* include search/_changed */)
select submission_id, field_id, field_group_id, provisional from gone
