-- The end of an `insert into feedback_records as r`: a record that is there becomes the new one; an identical one is left alone.
on conflict (tenant_id, submission_id, field_id) do update
set
    collected_at = excluded.collected_at,
    updated_at = excluded.updated_at,
    /* include records/_given */,
    -- A changed text is no longer the one that was analyzed and translated; a changed language only spoils the translation.
    sentiment = case when btrim(excluded.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
        then null else r.sentiment end,
    sentiment_score = case when btrim(excluded.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
        then null else r.sentiment_score end,
    emotions = case when btrim(excluded.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
        then null else r.emotions end,
    value_text_translated = case when btrim(excluded.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
        or excluded.language is distinct from r.language
        then null else r.value_text_translated end,
    translation_lang_key = case when btrim(excluded.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
        or excluded.language is distinct from r.language
        then null else r.translation_lang_key end
where (r.collected_at, r.source_type, r.source_id, r.source_name, r.field_label, r.field_type, r.field_group_id,
        r.field_group_label, r.value_text, r.value_id, r.value_number, r.value_boolean, r.value_date, r.metadata,
        r.language, r.user_id)
    is distinct from (excluded.collected_at, excluded.source_type, excluded.source_id, excluded.source_name,
        excluded.field_label, excluded.field_type, excluded.field_group_id, excluded.field_group_label,
        excluded.value_text, excluded.value_id, excluded.value_number, excluded.value_boolean, excluded.value_date,
        excluded.metadata, excluded.language, excluded.user_id)
