-- By id or by the prefix a person recognizes it by. Revoking twice keeps the first time.
-- (`least` skips nulls; Citus takes no now() inside `coalesce`.)
update api_keys set revoked_at = least(revoked_at, now())
where id::text = $1 or prefix = $1
returning id, name, prefix, scopes, tenant_id, created_at, expires_at, revoked_at, last_used_at
