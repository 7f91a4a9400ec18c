-- How far this run is, in the transaction of what it stored.
insert into imports (id, tenant_id, state, updated_at)
values ($1, $2, $3, now())
on conflict (id, tenant_id) do update set state = excluded.state, updated_at = excluded.updated_at
