-- All keys, newest first; never their hashes.
select id, name, prefix, scopes, tenant_id, created_at, expires_at, revoked_at, last_used_at
from api_keys
order by created_at desc, id
