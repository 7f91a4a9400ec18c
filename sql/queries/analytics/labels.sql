-- What the groups are called: the latest name among the selected records. One look into an index each, where there is one.
select key, (
    select case ($32::text[])[1]
        when 'source_id' then source_name
        when 'field_id' then field_label
        when 'field_group_id' then field_group_label
        when 'value_id' then value_text
    end
    from feedback_records
    where /* include records/_filter */
    and case ($32::text[])[1]
        when 'source_id' then source_id
        when 'field_id' then field_id
        when 'field_group_id' then field_group_id
        when 'value_id' then value_id
    end = key
    order by collected_at desc, id
    limit 1
) as label
from unnest($33::text[]) as key
