-- What is counted: what the filter selects, or of that each user's latest record, or all they said in their latest submission ($33).
-- What has no user stays.
/* include records/_filter */
and case $33::text
    when 'record' then user_id is null or id in (
        select distinct on (user_id) id from feedback_records
        where /* include records/_filter */
        and user_id is not null
        order by user_id, collected_at desc, id
    )
    when 'submission' then user_id is null or submission_id in (
        select distinct on (user_id) submission_id from feedback_records
        where /* include records/_filter */
        and user_id is not null
        order by user_id, collected_at desc, id
    )
    else true
end
