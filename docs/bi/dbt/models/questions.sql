-- What is asked, and how long nobody has answered.
select *, now() - last_seen as silent_for
from {{ source('analytics', 'fields') }}
