-- Makes a submission's records those of its latest snapshot, in one statement: inserts what is new, updates what differs,
-- deletes what the source made once and makes no more, and leaves the identical untouched, `updated_at` too.
-- A time of collection that is only the time of receipt (null here) is no difference.
-- A record that was posted directly under the same key in the meantime is updated like one that was there.
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
    on conflict (tenant_id, submission_id, field_id) do update
    set
        collected_at = excluded.collected_at,
        updated_at = excluded.updated_at,
        source_type = excluded.source_type,
        source_id = excluded.source_id,
        source_name = excluded.source_name,
        field_label = excluded.field_label,
        field_type = excluded.field_type,
        field_group_id = excluded.field_group_id,
        field_group_label = excluded.field_group_label,
        value_text = excluded.value_text,
        value_id = excluded.value_id,
        value_number = excluded.value_number,
        value_boolean = excluded.value_boolean,
        value_date = excluded.value_date,
        metadata = excluded.metadata,
        language = excluded.language,
        user_id = excluded.user_id,
        -- A changed text is no longer the one that was analysed and translated; a changed language only spoils the translation.
        sentiment = case when btrim(excluded.value_text, E' \t\n\v\f\r') is distinct from btrim(r.value_text, E' \t\n\v\f\r')
            then null else r.sentiment end,
        sentiment_score = case when btrim(excluded.value_text, E' \t\n\v\f\r') is distinct from btrim(r.value_text, E' \t\n\v\f\r')
            then null else r.sentiment_score end,
        emotions = case when btrim(excluded.value_text, E' \t\n\v\f\r') is distinct from btrim(r.value_text, E' \t\n\v\f\r')
            then null else r.emotions end,
        value_text_translated = case when btrim(excluded.value_text, E' \t\n\v\f\r') is distinct from btrim(r.value_text, E' \t\n\v\f\r')
            or excluded.language is distinct from r.language
            then null else r.value_text_translated end,
        translation_lang_key = case when btrim(excluded.value_text, E' \t\n\v\f\r') is distinct from btrim(r.value_text, E' \t\n\v\f\r')
            or excluded.language is distinct from r.language
            then null else r.translation_lang_key end
    where (r.collected_at, r.source_type, r.source_id, r.source_name, r.field_label, r.field_type, r.field_group_id,
            r.field_group_label, r.value_text, r.value_id, r.value_number, r.value_boolean, r.value_date, r.metadata,
            r.language, r.user_id)
        is distinct from (excluded.collected_at, excluded.source_type, excluded.source_id, excluded.source_name,
            excluded.field_label, excluded.field_type, excluded.field_group_id, excluded.field_group_label,
            excluded.value_text, excluded.value_id, excluded.value_number, excluded.value_boolean, excluded.value_date,
            excluded.metadata, excluded.language, excluded.user_id)
    returning r.id
),
gone as (
    delete from feedback_records
    where tenant_id = $1 and submission_id = $2 and source_type = $3 and field_id not in (select field_id from input)
    returning id
)
select
    (select count(*) from input) as produced,
    (select count(*) from written) as written,
    (select count(*) from written where id in (select id from input)) as created,
    (select count(*) from gone) as deleted
