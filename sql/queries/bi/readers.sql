-- Who reads, and what.
select role, array_agg(tenant_id order by tenant_id) as tenants from reader_tenants group by role order by role
