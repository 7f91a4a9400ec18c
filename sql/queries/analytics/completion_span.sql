-- When the first and the last of the selected submissions were: which buckets there are when the period is open.
select
    min(coalesce(started_at, completed_at, received_at)) as first,
    max(coalesce(started_at, completed_at, received_at)) as last
from submissions
where /* include submissions/_filter */
