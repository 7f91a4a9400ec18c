-- How many records undoing would delete.
select count(*)
from feedback_records
where tenant_id = any($1::text[]) and created_at >= $3 and ($4::timestamptz is null or created_at <= $4)
and batch_id = $2 and updated_at = created_at
