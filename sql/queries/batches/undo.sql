-- A step of undoing: records of one tenant that the batch created and nobody changed since, found by their time of arrival.
delete from feedback_records
where tenant_id = $1 and id in (
    select id
    from feedback_records
    where tenant_id = $1 and created_at between $3 and $4 and batch_id = $2 and updated_at = created_at
    limit $5
)
