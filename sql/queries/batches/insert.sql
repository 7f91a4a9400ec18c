-- A staged chunk into the table, in the order of the keys, so that two batches with the same keys wait for each other instead
-- of deadlocking. Of a key that comes twice the first stands. What is not returned was there before.
insert into feedback_records (/* include records/_columns */, batch_id)
select id, coalesce(collected_at, now()), now(), now(), source_type, source_id, source_name, field_id, field_label, field_type,
    field_group_id, field_group_label, value_text, value_id, value_number, value_boolean, value_date, metadata,
    language, user_id, tenant_id, submission_id, $1::uuid
from staged
order by tenant_id, submission_id, field_id, ordinal
on conflict (tenant_id, submission_id, field_id) do nothing
returning id
