-- The ids of records that were there first. A statement of its own: the insert cannot see a winner that committed meanwhile.
select tenant_id, submission_id, field_id, id
from feedback_records
where (tenant_id, submission_id, field_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
