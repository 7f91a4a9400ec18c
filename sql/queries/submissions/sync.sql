-- Makes a submission's records those of its latest snapshot, in one statement: inserts what is new, updates what differs,
-- deletes what the source made once and makes no more, and leaves the identical untouched, `updated_at` too.
-- A time of collection that is only the time of receipt (null here) is no difference.
-- A record that was posted directly under the same key in the meantime is updated like one that was there; one that was
-- posted under a key whose answer is held back ($5: it was erased) is nobody's business here.
with input as materialized (
    select * from jsonb_populate_recordset(null::feedback_records, $4)
),
known as materialized (
    select field_id, collected_at from feedback_records where tenant_id = $1 and submission_id = $2
),
written as (
    insert into feedback_records as r (/* include records/_columns */)
    select i.id, coalesce(i.collected_at, known.collected_at, now()), now(), now(), i.source_type, i.source_id, i.source_name,
        i.field_id, i.field_label, i.field_type, i.field_group_id, i.field_group_label, i.value_text, i.value_id, i.value_number,
        i.value_boolean, i.value_date, i.metadata, i.language, i.user_id, i.tenant_id, i.submission_id
    from input as i
    left join known on known.field_id = i.field_id
    order by i.field_id
    /* include records/_overwrite */
    returning r.id, r.tenant_id, r.submission_id, r.field_id
),
gone as (
    delete from feedback_records
    where tenant_id = $1 and submission_id = $2 and source_type = $3 and field_id not in (select field_id from input)
        and field_id not in (select jsonb_array_elements_text($5))
    returning tenant_id, id, submission_id, field_id
),
told as (/* include changes/_deleted */),
touched as (
    select tenant_id, submission_id, field_id from written where id not in (select id from input)
    union all
    select tenant_id, submission_id, field_id from gone
),
changed as (/* include search/_changed */)
select
    (select count(*) from input) as produced,
    (select count(*) from written) as written,
    (select count(*) from written where id in (select id from input)) as created,
    (select count(*) from gone) as deleted
