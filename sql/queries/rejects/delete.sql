-- A reject that was repaired, or is of no use.
delete from rejects
where id = $1 and ($2::text is null or tenant_id = $2)
