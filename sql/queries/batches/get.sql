-- One batch, if the key may see it: a key bound to a tenant sees what came with such a key.
select id, format, on_conflict, started_at, finished_at, undone_at, received, created, updated, unchanged, skipped, duplicate,
    rejected, tenants
from batches
where id = $1 and ($2::text is null or key_tenant_id = $2)
