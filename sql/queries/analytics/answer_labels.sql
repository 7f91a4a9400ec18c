-- What the answers to a question are called that others are grouped by: the latest wording of each.
with latest as (
    select /* include analytics/_answer */ as key, max(collected_at) as last
    from feedback_records
    where tenant_id = $1 and field_id = $2
    group by 1
)
select key, (
    select /* include analytics/_label */
    from feedback_records
    where tenant_id = $1 and field_id = $2 and /* include analytics/_answer */ = key and collected_at = last
    order by id
    limit 1
) as label
from latest
where key = any($3::text[])
