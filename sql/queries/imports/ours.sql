-- All that came of a tenant, for the checksum.
select /* include records/_json */ as record from feedback_records where tenant_id = $1 and batch_id = $2
