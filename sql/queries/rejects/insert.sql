-- What could not be stored, with the reason.
insert into rejects (tenant_id, id, batch_id, connection_id, form_id, position, user_id, raw, status, problem, created_at)
select tenant_id, id, batch_id, connection_id, form_id, position, user_id, raw, status, problem, now()
from json_populate_recordset(null::rejects, $1)
