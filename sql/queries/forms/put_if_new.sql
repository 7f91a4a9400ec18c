-- Stores a definition in the place of the one before, unless they are the same.
insert into forms (tenant_id, source, form_id, name, definition, fields, updated_at)
values ($1, $2, $3, $4, $5, $6, now())
on conflict (tenant_id, source, form_id) do update
set name = excluded.name, definition = excluded.definition, fields = excluded.fields, updated_at = excluded.updated_at
where forms.definition is distinct from excluded.definition
