-- How much there is, by group and bucket.
with cells as (
    select
        /* include analytics/_key */ as key,
        /* include analytics/_bucket */ as bucket,
        count(*) as records,
        count(distinct submission_id) as submissions,
        count(distinct user_id) as users
    from feedback_records
    /* include analytics/_other */
    where /* include analytics/_selection */
    group by 1, 2
)
/* include analytics/_largest */
