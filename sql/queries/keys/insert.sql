-- A new key; its text is known to nobody but its owner.
insert into api_keys (id, name, prefix, hash, scopes, tenant_id, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
