-- The records of a submission, those that somebody added to it too.
select /* include records/_json */
from feedback_records
where tenant_id = $1 and submission_id = $2
order by field_id
