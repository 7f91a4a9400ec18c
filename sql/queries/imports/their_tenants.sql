-- Asked of the other hub's database: whose records there are.
select distinct tenant_id::text as tenant_id from feedback_records order by 1
