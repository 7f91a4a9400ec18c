-- Markers of what is being erased, in the transaction that erases it. In the order of their key: two erasures of the same
-- things wait for each other instead of deadlocking.
insert into erasures (tenant_id, kind, hash, erased_at)
select tenant_id, kind, decode(hash, 'hex'), now()
from (
    select distinct tenant_id, kind, hash from jsonb_to_recordset($1) as m (tenant_id text, kind text, hash text)
) as markers
order by tenant_id, hash
on conflict (tenant_id, hash) do update set erased_at = excluded.erased_at
