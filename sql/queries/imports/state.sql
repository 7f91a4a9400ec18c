-- Where an earlier run ended.
select state from imports where id = $1 and tenant_id = $2
