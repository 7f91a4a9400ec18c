-- The kept submissions of a form, page by page: each is flattened again in a transaction of its own.
select submission_id
from submissions
where tenant_id = $1 and source = $2 and form_id = $3 and submission_id > $4 and payload is not null
order by submission_id
limit $5
