-- How often each mark was given. Beyond a hundred different ones that is no picture of anything, and they are left out.
with cells as (
    select
        key, bucket, scale_min, scale_max, value, valid,
        sum(answered)::bigint as records,
        count(*) filter (where valid) over (partition by key, bucket, scale_min, scale_max) as marks
    from (/* include analytics/_scored */) as scored
    group by key, bucket, scale_min, scale_max, value, valid
)
select * from (/* include analytics/_largest */) as largest where valid and marks <= 100 order by value
