-- A record as the wire has it: UTC with `Z` and no trailing zeros, absent instead of null, members in their order.
-- Made here because Postgres writes this text in less time than it takes Python to read the columns.
-- (row_to_json would print the zone as +00:00, and json_strip_nulls would also empty the nulls inside metadata.)
-- (`concat` leaves out a null, and with it the name of the member.)
concat(
    '{"id":"', id,
    '","collected_at":', left(to_json(collected_at at time zone 'UTC')::text, -1),
    'Z","created_at":', left(to_json(created_at at time zone 'UTC')::text, -1),
    'Z","updated_at":', left(to_json(updated_at at time zone 'UTC')::text, -1),
    'Z","source_type":', to_json(source_type),
    ',"source_id":' || to_json(source_id),
    ',"source_name":' || to_json(source_name),
    ',"field_id":', to_json(field_id),
    ',"field_label":' || to_json(field_label),
    ',"field_type":', to_json(field_type),
    ',"field_group_id":' || to_json(field_group_id),
    ',"field_group_label":' || to_json(field_group_label),
    ',"value_text":' || to_json(value_text),
    ',"value_id":' || to_json(value_id),
    ',"value_number":' || to_json(value_number),
    ',"value_boolean":' || to_json(value_boolean),
    ',"value_date":' || left(to_json(value_date at time zone 'UTC')::text, -1) || 'Z"',
    ',"metadata":' || metadata::text,
    ',"language":' || to_json(language),
    ',"user_id":' || to_json(user_id),
    ',"tenant_id":', to_json(tenant_id),
    ',"submission_id":', to_json(submission_id),
    ',"value_text_translated":' || to_json(value_text_translated),
    ',"translation_lang_key":' || to_json(translation_lang_key),
    ',"sentiment":' || to_json(sentiment),
    ',"sentiment_score":' || to_json(sentiment_score),
    ',"emotions":' || to_json(emotions),
    '}'
)
