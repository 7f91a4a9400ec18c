-- Everything of a tenant but its connections, or ($2 false) all but its forms, too. Copies of the records are told once that nothing of before is left.
with purged as (
    delete from feedback_records where tenant_id = $1
    returning tenant_id, submission_id, field_id
),
touched as (select * from purged),
changed as (/* include search/_changed */),
of_submissions as (delete from submissions where tenant_id = $1),
of_deliveries as (delete from deliveries where tenant_id = $1),
of_imports as (delete from imports where tenant_id = $1),
of_forms as (delete from forms where tenant_id = $1 and $2),
told as (
    insert into changes (tenant_id, changed_at, record_id, kind)
    values ($1, now(), '00000000-0000-0000-0000-000000000000', 'purged')
)
select count(*) from purged
