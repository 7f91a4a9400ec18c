-- Whether this was delivered before.
select exists (select from deliveries where tenant_id = $1 and connection_id = $2 and hash = $3)
