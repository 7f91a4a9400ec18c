-- The submissions of a form whose id is the vendor's own, as their payloads say: others were posted here, and are not there.
select submission_id
from submissions
where tenant_id = $1 and source = $2 and form_id = $3 and payload ->> 'id' = submission_id
