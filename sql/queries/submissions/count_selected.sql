-- How many submissions of a selection have a payload to flatten, and how many lost it to retention.
select count(*) filter (where payload is not null) as kept, count(*) filter (where payload is null) as expired
from submissions
where /* include submissions/_selection */
