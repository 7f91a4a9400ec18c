-- A record as the wire has it: UTC with `Z` and no trailing zeros, absent instead of null, members in their order.
-- Made here because Postgres writes this text in less time than it takes Python to read the columns.
-- (row_to_json would print the zone as +00:00, and json_strip_nulls would also empty the nulls inside metadata.)
'{"id":"' || id
|| '","collected_at":' || rtrim(to_json(collected_at at time zone 'UTC')::text, '"') || 'Z"'
|| ',"created_at":' || rtrim(to_json(created_at at time zone 'UTC')::text, '"') || 'Z"'
|| ',"updated_at":' || rtrim(to_json(updated_at at time zone 'UTC')::text, '"') || 'Z"'
|| ',"source_type":' || to_json(source_type)
|| coalesce(',"source_id":' || to_json(source_id), '')
|| coalesce(',"source_name":' || to_json(source_name), '')
|| ',"field_id":' || to_json(field_id)
|| coalesce(',"field_label":' || to_json(field_label), '')
|| ',"field_type":' || to_json(field_type)
|| coalesce(',"field_group_id":' || to_json(field_group_id), '')
|| coalesce(',"field_group_label":' || to_json(field_group_label), '')
|| coalesce(',"value_text":' || to_json(value_text), '')
|| coalesce(',"value_id":' || to_json(value_id), '')
|| coalesce(',"value_number":' || to_json(value_number), '')
|| coalesce(',"value_boolean":' || to_json(value_boolean), '')
|| coalesce(',"value_date":' || rtrim(to_json(value_date at time zone 'UTC')::text, '"') || 'Z"', '')
|| coalesce(',"metadata":' || metadata::text, '')
|| coalesce(',"language":' || to_json(language), '')
|| coalesce(',"user_id":' || to_json(user_id), '')
|| ',"tenant_id":' || to_json(tenant_id)
|| ',"submission_id":' || to_json(submission_id)
|| coalesce(',"value_text_translated":' || to_json(value_text_translated), '')
|| coalesce(',"translation_lang_key":' || to_json(translation_lang_key), '')
|| coalesce(',"sentiment":' || to_json(sentiment), '')
|| coalesce(',"sentiment_score":' || to_json(sentiment_score), '')
|| coalesce(',"emotions":' || to_json(emotions), '')
|| '}'
