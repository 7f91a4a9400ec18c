-- The connection that a delivery is for, if that still takes any.
select /* include connections/_columns */
from connections
where id = $1 and token_hash = $2 and status <> 'revoked'
