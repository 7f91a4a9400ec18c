-- What is here under the keys of a page, held until it is decided what becomes of it.
select batch_id, /* include records/_json */ as record
from feedback_records
where tenant_id = $1 and (submission_id, field_id) in (select * from unnest($2::text[], $3::text[]))
for update
