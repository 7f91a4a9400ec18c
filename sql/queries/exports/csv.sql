-- Records as cells, in the order of the list: times as the wire has them, booleans in words. COPY writes the CSV, and quotes an
-- empty text, so that it is not taken for an absent value.
select
    id,
    replace((collected_at at time zone 'UTC')::text, ' ', 'T') || 'Z' as collected_at,
    replace((created_at at time zone 'UTC')::text, ' ', 'T') || 'Z' as created_at,
    replace((updated_at at time zone 'UTC')::text, ' ', 'T') || 'Z' as updated_at,
    source_type, source_id, source_name, field_id, field_label, field_type, field_group_id, field_group_label, value_text, value_id,
    value_number,
    value_boolean::text as value_boolean,
    replace((value_date at time zone 'UTC')::text, ' ', 'T') || 'Z' as value_date,
    metadata, language, user_id, tenant_id, submission_id, value_text_translated, translation_lang_key, sentiment, sentiment_score,
    to_json(emotions) as emotions
from feedback_records
where /* include records/_filter */
order by feedback_records.collected_at desc, feedback_records.id
