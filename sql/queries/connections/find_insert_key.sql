-- The connection that a response is inserted into, if that still takes any.
select /* include connections/_columns */
from connections
where source = $1 and insert_key_hash = $2 and status <> 'revoked'
