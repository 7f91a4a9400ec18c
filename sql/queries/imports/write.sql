-- Records of the other hub as they are, id and times too. Whatever holds their key here becomes them: what may not was left out
-- before. As JSON and not by COPY, because the driver takes the first and the last time that Python knows for infinities. A
-- metadata of JSON null stays one.
with touched as (
insert into feedback_records (/* include imports/_columns */, batch_id)
select r.id, r.collected_at, r.created_at, r.updated_at, r.source_type, r.source_id, r.source_name, r.field_id, r.field_label,
    r.field_type, r.field_group_id, r.field_group_label, r.value_text, r.value_id, r.value_number, r.value_boolean, r.value_date,
    coalesce(r.metadata, item -> 'metadata'), r.language, r.user_id, r.tenant_id, r.submission_id, r.value_text_translated,
    r.translation_lang_key, r.sentiment, r.sentiment_score, r.emotions, $1::uuid
from jsonb_array_elements($2::jsonb) as item, jsonb_populate_record(null::feedback_records, item) as r
order by r.tenant_id, r.submission_id, r.field_id
on conflict (tenant_id, submission_id, field_id) do update
set
    id = excluded.id,
    collected_at = excluded.collected_at,
    created_at = excluded.created_at,
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
    value_text_translated = excluded.value_text_translated,
    translation_lang_key = excluded.translation_lang_key,
    sentiment = excluded.sentiment,
    sentiment_score = excluded.sentiment_score,
    emotions = excluded.emotions,
    batch_id = excluded.batch_id
    returning tenant_id, submission_id, field_id
)
/* include search/_changed */
