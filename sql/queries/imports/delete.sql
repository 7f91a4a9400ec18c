-- What is no longer in the other hub. Only what came from there.
delete from feedback_records where tenant_id = $1 and batch_id = $2 and id = any($3::uuid[])
