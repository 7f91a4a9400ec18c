-- A payload may name nobody, and yet one of its records a user: a PATCH said so.
delete from submissions
where (tenant_id, submission_id) in (
    select tenant_id, submission_id from feedback_records where user_id = $1 and ($2::text is null or tenant_id = $2)
)
