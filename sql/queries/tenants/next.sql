-- The tenant after another one, by name: one look into an index, however many records a tenant has.
select min(tenant_id) from feedback_records where tenant_id > $1
