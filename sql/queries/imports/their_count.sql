-- Asked of the other hub's database: how many records a tenant has.
select count(*) from feedback_records where tenant_id = $1
