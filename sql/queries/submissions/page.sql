-- One page of a tenant's submissions, latest first, the id breaking ties. An empty array and a null select everything. The
-- condition on the time stands alone as well, because the index can start from it.
select /* include submissions/_columns */
from submissions
where /* include submissions/_filter */
and ($8::timestamptz is null or (
    coalesce(started_at, completed_at, received_at) <= $8
    and (coalesce(started_at, completed_at, received_at) < $8 or submission_id > $9)
))
order by coalesce(started_at, completed_at, received_at) desc, submission_id
limit $10
