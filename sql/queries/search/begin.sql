-- The first search of a tenant. From here on changes of its records are noted.
insert into search_tenants (tenant_id, since) values ($1, now())
on conflict (tenant_id) do nothing
