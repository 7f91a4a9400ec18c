-- What is counted: what the filter selects, or ($33) of that each user's latest record, and those without a user.
/* include records/_filter */
and (not $33::boolean or user_id is null or id in (
    select distinct on (user_id) id from feedback_records
    where /* include records/_filter */
    and user_id is not null
    order by user_id, collected_at desc, id
))
