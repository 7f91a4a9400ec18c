-- One record or thousands in one statement. Rows go in in the order of their key (and id: the first of a key stands), so that two batches with the same keys
-- wait for each other instead of deadlocking. What is not returned was there before: its key is looked up by `find_ids`.
-- (An absent member becomes null and never the column's default, hence the coalesce.)
with input as materialized (
    select * from jsonb_populate_recordset(null::feedback_records, $1)
)
insert into feedback_records (/* include records/_columns */)
select id, coalesce(collected_at, now()), now(), now(), source_type, source_id, source_name, field_id, field_label, field_type,
    field_group_id, field_group_label, value_text, value_id, value_number, value_boolean, value_date, metadata,
    language, user_id, tenant_id, submission_id
from input
order by tenant_id, submission_id, field_id, id
on conflict (tenant_id, submission_id, field_id) do nothing
returning id, collected_at, created_at
