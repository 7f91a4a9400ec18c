-- How many ranks were given, and by how many, by group and bucket.
with cells as (
    select
        /* include analytics/_key */ as key,
        /* include analytics/_bucket */ as bucket,
        count(*) as records,
        count(/* include analytics/_ranked */) as answers,
        count(distinct submission_id) filter (where /* include analytics/_ranked */ is not null) as submissions
    from feedback_records
    /* include analytics/_other */
    where /* include analytics/_selection */
    group by 1, 2
)
/* include analytics/_largest */
