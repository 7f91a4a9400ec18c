-- The payloads kept of a user's submissions are as personal as the records made of them.
delete from submissions
where user_id = $1 and ($2::text is null or tenant_id = $2)
returning tenant_id, submission_id
