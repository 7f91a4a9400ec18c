-- A row to lock for a form whose definition nobody sent yet.
insert into forms (tenant_id, source, form_id, updated_at)
values ($1, $2, $3, now())
on conflict (tenant_id, source, form_id) do nothing
