-- The key a request came with, if it still opens anything, and whether its use is to be noted: once a minute is enough.
select id, scopes, tenant_id, last_used_at is null or last_used_at < now() - interval '1 minute' as unnoted
from api_keys
where hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())
