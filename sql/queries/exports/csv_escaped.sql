-- The same, safe to open in a spreadsheet: what would be a formula there begins with an apostrophe. Only texts that came from outside
-- can be one.
select
    id, collected_at, created_at, updated_at,
    case when source_type ~ '^[=+@\t\r\n-]' then '''' || source_type else source_type end as source_type,
    case when source_id ~ '^[=+@\t\r\n-]' then '''' || source_id else source_id end as source_id,
    case when source_name ~ '^[=+@\t\r\n-]' then '''' || source_name else source_name end as source_name,
    case when field_id ~ '^[=+@\t\r\n-]' then '''' || field_id else field_id end as field_id,
    case when field_label ~ '^[=+@\t\r\n-]' then '''' || field_label else field_label end as field_label,
    field_type,
    case when field_group_id ~ '^[=+@\t\r\n-]' then '''' || field_group_id else field_group_id end as field_group_id,
    case when field_group_label ~ '^[=+@\t\r\n-]' then '''' || field_group_label else field_group_label end as field_group_label,
    case when value_text ~ '^[=+@\t\r\n-]' then '''' || value_text else value_text end as value_text,
    case when value_id ~ '^[=+@\t\r\n-]' then '''' || value_id else value_id end as value_id,
    value_number, value_boolean, value_date, metadata,
    case when language ~ '^[=+@\t\r\n-]' then '''' || language else language end as language,
    case when user_id ~ '^[=+@\t\r\n-]' then '''' || user_id else user_id end as user_id,
    case when tenant_id ~ '^[=+@\t\r\n-]' then '''' || tenant_id else tenant_id end as tenant_id,
    case when submission_id ~ '^[=+@\t\r\n-]' then '''' || submission_id else submission_id end as submission_id,
    case when value_text_translated ~ '^[=+@\t\r\n-]' then '''' || value_text_translated else value_text_translated end as value_text_translated,
    case when translation_lang_key ~ '^[=+@\t\r\n-]' then '''' || translation_lang_key else translation_lang_key end as translation_lang_key,
    sentiment, sentiment_score, emotions
from (/* include exports/csv */) as cells
