-- Everything a user said, within one tenant or in all of them.
delete from feedback_records
where user_id = $1 and ($2::text is null or tenant_id = $2)
