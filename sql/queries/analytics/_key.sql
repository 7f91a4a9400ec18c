-- The group a record belongs to, by `hub.db.analytics.dimension`: the plan is made for it, so the other columns are not read.
case ($32::text[])[1]
    when 'source_type' then source_type
    when 'source_id' then source_id
    when 'source_name' then source_name
    when 'field_id' then field_id
    when 'field_type' then field_type
    when 'field_group_id' then field_group_id
    when 'value_id' then value_id
    when 'user_id' then user_id
    when 'language' then language
    when 'sentiment' then sentiment
    when 'metadata' then metadata #>> ($32::text[])[2:]
    when 'answer' then answer
end
