-- The connections of a tenant, or all, the oldest first.
select /* include connections/_columns */
from connections
where ($1::text is null or tenant_id = $1) and ($2::text is null or source = $2)
order by created_at, id
