-- The kept submissions of a selection, page by page over all tenants: each is flattened again in a transaction of its own.
select tenant_id, submission_id, source
from submissions
where /* include submissions/_selection */
and payload is not null
and (tenant_id, submission_id) > ($4, $5)
order by tenant_id, submission_id
limit $6
