-- One submission, with its payload when that is asked for.
select /* include submissions/_columns */, case when $3::boolean then payload end as payload
from submissions
where tenant_id = $1 and submission_id = $2
