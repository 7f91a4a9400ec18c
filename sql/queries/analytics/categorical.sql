-- How many chose anything, by group and bucket: what the shares of the options are shares of.
with cells as (
    select
        /* include analytics/_key */ as key,
        /* include analytics/_bucket */ as bucket,
        count(*) as records,
        count(/* include analytics/_option */) as answers,
        count(distinct submission_id) filter (where /* include analytics/_option */ is not null) as submissions
    from feedback_records
    /* include analytics/_other */
    where /* include analytics/_selection */
    group by 1, 2
)
/* include analytics/_largest */
