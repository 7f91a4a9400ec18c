-- What is counted, with its group and its bucket. The offset skips nothing: behind it, the planner no longer takes every moment for a
-- bucket of its own, which would be too many to count in parallel, or in memory. It is written as a text because a number would
-- still have to be cast when the planner looks, and what may be limited is not counted in parallel.
select /* include analytics/_key */ as key, /* include analytics/_bucket */ as bucket, value_number, value_boolean
from feedback_records
/* include analytics/_other */
where /* include analytics/_selection */
offset '0'
