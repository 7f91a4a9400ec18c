-- The members of a record, each as `"name":value` or null, in the order of the list. What is chosen of them is put together by
-- `hub.db.exports`; all of them are what `records/_json` makes.
select
    '"id":"' || id || '"' as id,
    '"collected_at":' || left(to_json(collected_at at time zone 'UTC')::text, -1) || 'Z"' as collected_at,
    '"created_at":' || left(to_json(created_at at time zone 'UTC')::text, -1) || 'Z"' as created_at,
    '"updated_at":' || left(to_json(updated_at at time zone 'UTC')::text, -1) || 'Z"' as updated_at,
    '"source_type":' || to_json(source_type) as source_type,
    '"source_id":' || to_json(source_id) as source_id,
    '"source_name":' || to_json(source_name) as source_name,
    '"field_id":' || to_json(field_id) as field_id,
    '"field_label":' || to_json(field_label) as field_label,
    '"field_type":' || to_json(field_type) as field_type,
    '"field_group_id":' || to_json(field_group_id) as field_group_id,
    '"field_group_label":' || to_json(field_group_label) as field_group_label,
    '"value_text":' || to_json(value_text) as value_text,
    '"value_id":' || to_json(value_id) as value_id,
    '"value_number":' || to_json(value_number) as value_number,
    '"value_boolean":' || to_json(value_boolean) as value_boolean,
    '"value_date":' || left(to_json(value_date at time zone 'UTC')::text, -1) || 'Z"' as value_date,
    '"metadata":' || metadata::text as metadata,
    '"language":' || to_json(language) as language,
    '"user_id":' || to_json(user_id) as user_id,
    '"tenant_id":' || to_json(tenant_id) as tenant_id,
    '"submission_id":' || to_json(submission_id) as submission_id,
    '"value_text_translated":' || to_json(value_text_translated) as value_text_translated,
    '"translation_lang_key":' || to_json(translation_lang_key) as translation_lang_key,
    '"sentiment":' || to_json(sentiment) as sentiment,
    '"sentiment_score":' || to_json(sentiment_score) as sentiment_score,
    '"emotions":' || to_json(emotions) as emotions
from feedback_records
where /* include records/_filter */
order by feedback_records.collected_at desc, feedback_records.id
