-- Snapshots of one submission are taken one after the other: whoever holds this row reads what the one before it wrote.
select submission_id, source, form_id, snapshot_order, payload, options
from submissions
where tenant_id = $1 and submission_id = $2
for update
