-- A batch as far as it is: the first chunk makes the row, the others add to it, in the transaction of their records.
insert into batches as b (id, key_tenant_id, key_id, format, on_conflict, started_at, finished_at, received, created, updated,
    unchanged, skipped, duplicate, rejected, tenants)
values ($1, $2, $3, $4, $5, now(), case when $6 then now() end, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (id) do update
set
    finished_at = excluded.finished_at,
    received = b.received + excluded.received,
    created = b.created + excluded.created,
    updated = b.updated + excluded.updated,
    unchanged = b.unchanged + excluded.unchanged,
    skipped = b.skipped + excluded.skipped,
    duplicate = b.duplicate + excluded.duplicate,
    rejected = b.rejected + excluded.rejected,
    tenants = case when b.tenants @> excluded.tenants then b.tenants
        else array(select distinct unnest(b.tenants || excluded.tenants) order by 1) end
