-- Yes and no, by group and bucket.
with cells as (
    select
        key,
        bucket,
        count(*) as records,
        count(*) filter (where value_boolean) as true_count,
        count(*) filter (where not value_boolean) as false_count
    from (/* include analytics/_placed */) as placed
    group by key, bucket
)
/* include analytics/_largest */
