-- Rejects in the order in which they were made, of one batch, one tenant, or all.
select id, batch_id, position, tenant_id, user_id, raw, status, problem, created_at
from rejects
where ($1::uuid is null or batch_id = $1)
and ($2::text is null or tenant_id = $2)
and ($3::timestamptz is null or created_at >= $3)
and ($4::timestamptz is null or created_at <= $4)
and ($5::uuid is null or id > $5)
order by id
limit $6
