-- One page by created_at, earliest first, the id breaking ties. The condition on created_at stands alone as well, because the index can
-- start from it: `a < x or (a = x and id > y)` would read everything before the page.
select /* include records/_json */
from feedback_records
where /* include records/_filter */
and ($29::timestamptz is null or (created_at >= $29 and (created_at > $29 or id > $30::uuid)))
order by created_at asc, id
limit $31
