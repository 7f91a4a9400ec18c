-- How far a tenant's records have been looked at.
select since, created_at, id, configurations from search_tenants where tenant_id = $1
