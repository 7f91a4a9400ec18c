-- One record by its id, within one tenant or wherever it is.
select /* include records/_json */
from feedback_records
where id = $1 and ($2::text is null or tenant_id = $2)
