-- In the statement that changes or deletes records, named by the CTE `touched`: their words are forgotten at once, and looked at
-- again before the next search. A row also where there was none yet: whoever is reading the old record at this moment will meet it.
insert into search_texts (tenant_id, submission_id, field_id)
select distinct tenant_id, submission_id, field_id
from touched join search_tenants using (tenant_id)
order by tenant_id, submission_id, field_id
on conflict (tenant_id, submission_id, field_id) do update set words = null
