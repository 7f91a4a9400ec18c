-- How far a tenant's records have been looked at.
update search_tenants
set created_at = $2, id = $3, configurations = array(select distinct unnest(configurations || $4::text[]) order by 1)
where tenant_id = $1
