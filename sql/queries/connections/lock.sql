-- A connection that is about to be changed by what it is.
select /* include connections/_columns */
from connections
where id = $1 and ($2::text is null or tenant_id = $2)
for update
