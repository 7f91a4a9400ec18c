-- Rejects in the order in which they were made, of one batch, one connection, one tenant, or all. The condition on created_at
-- stands alone as well, because the index can start from it.
select id, batch_id, connection_id, form_id, position, nullif(tenant_id, '') as tenant_id, user_id, raw, status, problem, created_at
from rejects
where ($1::uuid is null or batch_id = $1)
and ($2::text is null or tenant_id = $2)
and ($3::timestamptz is null or created_at >= $3)
and ($4::timestamptz is null or created_at <= $4)
and ($5::uuid is null or connection_id = $5)
and ($6::timestamptz is null or (created_at >= $6 and (created_at > $6 or id > $7::uuid)))
order by created_at, id
limit $8
