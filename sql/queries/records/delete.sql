-- One record by its id, within one tenant or wherever it is.
delete from feedback_records
where id = $1 and ($2::text is null or tenant_id = $2)
