-- The tenant and the submission of a record, to be locked before it is erased.
select tenant_id, submission_id from feedback_records
where id = $1 and ($2::text is null or tenant_id = $2)
