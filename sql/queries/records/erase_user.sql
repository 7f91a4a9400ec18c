-- Everything a user said, within one tenant or in all of them; how much it was in each submission.
with gone as (
    delete from feedback_records
    where user_id = $1 and ($2::text is null or tenant_id = $2)
    returning tenant_id, id, submission_id, field_id
),
told as (/* include changes/_deleted */),
touched as (select tenant_id, submission_id, field_id from gone),
changed as (/* include search/_changed */)
select tenant_id, submission_id, count(*) from gone group by tenant_id, submission_id
