-- Records of the other hub as they are, id and times too. Whatever holds their key here becomes them: what may not was left out
-- before. As JSON and not by COPY, because the driver takes the first and the last time that Python knows for infinities. A
-- metadata of JSON null stays one.
-- A copy of the records is told: by their times they would be old news. What holds a key under another id is not touched and its record
-- not returned: whoever takes its place deletes it first.
with input as materialized (
    select r.*, coalesce(r.metadata, item -> 'metadata') as given
    from jsonb_array_elements($2::jsonb) as item, jsonb_populate_record(null::feedback_records, item) as r
),
written as (
    insert into feedback_records as r (/* include imports/_columns */, batch_id)
    select id, collected_at, created_at, updated_at, source_type, source_id, source_name, field_id, field_label,
        field_type, field_group_id, field_group_label, value_text, value_id, value_number, value_boolean, value_date,
        given, language, user_id, tenant_id, submission_id, value_text_translated,
        translation_lang_key, sentiment, sentiment_score, emotions, $1::uuid
    from input
    order by tenant_id, submission_id, field_id
    on conflict (tenant_id, submission_id, field_id) do update
    set
        collected_at = excluded.collected_at,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        /* include records/_given */,
        value_text_translated = excluded.value_text_translated,
        translation_lang_key = excluded.translation_lang_key,
        sentiment = excluded.sentiment,
        sentiment_score = excluded.sentiment_score,
        emotions = excluded.emotions,
        batch_id = excluded.batch_id
    where r.id = excluded.id
    returning r.tenant_id, r.id, r.submission_id, r.field_id
),
touched as (select tenant_id, submission_id, field_id from written),
changed as (/* include search/_changed */)
insert into changes (tenant_id, changed_at, record_id, kind)
select tenant_id, now(), id, 'stored' from written
returning record_id
