-- The connections of a tenant, with their credentials.
delete from connections where tenant_id = $1
