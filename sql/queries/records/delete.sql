-- One record by its id. What its marker is made of comes back.
delete from feedback_records
where id = $1 and tenant_id = $2
returning submission_id, field_id, field_group_id, coalesce(metadata -> 'definition_missing' = 'true', false) as provisional
