-- The batches that brought a tenant something, latest first; of those of other keys a tenant's own key learns nothing.
select id, format, started_at, finished_at, undone_at, received, created + updated + unchanged as stored, rejected
from batches
where $1 = any(tenants) and ($2::text is null or key_tenant_id = $2)
order by started_at desc
limit $3
