-- This was delivered, in the transaction of what became of it.
insert into deliveries (tenant_id, connection_id, hash, received_at)
values ($1, $2, $3, now())
on conflict (tenant_id, connection_id, hash) do nothing
