-- One reject, within one tenant or wherever it is.
select id, batch_id, connection_id, form_id, position, nullif(tenant_id, '') as tenant_id, user_id, raw, status, problem, created_at
from rejects
where id = $1 and ($2::text is null or tenant_id = $2)
