-- Markers of what is being erased, in the transaction that erases it. In the order of their key: two erasures of the same
-- things wait for each other instead of deadlocking.
insert into erasures (tenant_id, kind, hash, erased_at)
select tenant_id, kind, hash, now()
from (select distinct * from unnest($1::text[], $2::text[], $3::bytea[]) as m (tenant_id, kind, hash)) as markers
order by tenant_id, hash
on conflict (tenant_id, hash) do update set erased_at = excluded.erased_at
