-- The tenants whose answers a reader sees.
insert into reader_tenants (role, tenant_id) select distinct $1::text, tenant_id from unnest($2::text[]) as tenant_id
