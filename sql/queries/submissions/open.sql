-- A row to lock: the first snapshot of a submission finds none, and two of them may come at once.
insert into submissions (tenant_id, submission_id, source, form_id, status, snapshot_order, received_at)
values ($1, $2, $3, $4, 'started', '', now())
on conflict (tenant_id, submission_id) do nothing
