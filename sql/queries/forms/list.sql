-- The forms of a source that have a definition, or at least submissions waiting for one.
select form_id, name, fields, definition is not null as defined, updated_at
from forms
where tenant_id = $1 and source = $2
order by form_id
