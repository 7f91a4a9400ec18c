-- One form, with its definition as it is kept; null as long as none has come.
select name, fields, definition, updated_at
from forms
where tenant_id = $1 and source = $2 and form_id = $3
