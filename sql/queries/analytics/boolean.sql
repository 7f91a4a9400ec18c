-- Yes and no, by group and bucket.
with cells as (
    select
        /* include analytics/_key */ as key,
        /* include analytics/_bucket */ as bucket,
        count(*) as records,
        count(*) filter (where value_boolean) as true_count,
        count(*) filter (where not value_boolean) as false_count
    from feedback_records
    where /* include analytics/_selection */
    group by 1, 2
)
/* include analytics/_largest */
