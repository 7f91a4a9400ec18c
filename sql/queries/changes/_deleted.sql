-- Leaves word that records are gone, in the statement that deletes them: `gone` has the tenant and the id of each.
insert into changes (tenant_id, changed_at, record_id, kind)
select tenant_id, now(), id, 'deleted' from gone
