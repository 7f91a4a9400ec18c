-- One page by created_at, latest first, the id breaking ties. The condition on created_at stands alone as well, because the index can
-- start from it: `a < x or (a = x and id > y)` would read everything before the page.
-- One value, a record a line: JSON has no bare line end, and one long text is read faster than many short ones.
select string_agg(record, E'\n')
from (
    select /* include records/_json */ as record
    from feedback_records
    where /* include records/_filter */
    and ($32::timestamptz is null or (created_at <= $32 and (created_at < $32 or id > $33::uuid)))
    order by created_at desc, id
    limit $34
) as page
