-- What the answers to a question are called that others are grouped by: the latest wording of each.
select key, (
    select value_text from feedback_records
    where tenant_id = $1 and field_id = $2 and /* include analytics/_answer */ = key
    order by collected_at desc
    limit 1
) as label
from unnest($3::text[]) as key
