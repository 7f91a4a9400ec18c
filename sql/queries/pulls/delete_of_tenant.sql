-- How far the pulls of a tenant's connections are, before those are deleted.
delete from pulls where connection_id in (select id from connections where tenant_id = $1)
