-- What the groups are called: the name that the latest record of each has. When that was is counted first, for a search backwards in
-- time would go through all records to find the last one of a rare group.
with latest as (
    select /* include analytics/_key */ as key, max(collected_at) as last
    from feedback_records
    /* include analytics/_other */
    where /* include records/_filter */
    group by 1
)
select key, (
    select case ($32::text[])[1]
        when 'source_id' then source_name
        when 'field_id' then field_label
        when 'field_group_id' then field_group_label
        when 'value_id' then value_text
    end
    from feedback_records
    /* include analytics/_other */
    where /* include records/_filter */
    and /* include analytics/_key */ = key
    and collected_at = last
    order by id
    limit 1
) as label
from latest
where key = any($33::text[])
