-- One connection, within one tenant or wherever it is.
select /* include connections/_columns */
from connections
where id = $1 and ($2::text is null or tenant_id = $2)
