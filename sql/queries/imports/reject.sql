-- What cannot be stored here, once however often it is met.
insert into rejects (tenant_id, id, batch_id, position, user_id, raw, status, problem, created_at)
select tenant_id, id, batch_id, position, user_id, raw, status, problem, now()
from json_populate_recordset(null::rejects, $1)
on conflict (tenant_id, id) do update set raw = excluded.raw, problem = excluded.problem, created_at = excluded.created_at
