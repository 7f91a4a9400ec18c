-- How easy it was, by group, bucket and scale. Which marks mean easy is known where the scale is: the best three of seven, the best two
-- of fewer.
with cells as (
    select
        key, bucket, scale_min, scale_max,
        sum(answered)::bigint as records,
        coalesce(sum(answered) filter (where valid), 0)::bigint as answers,
        coalesce(
            sum(answered) filter (where valid and value >= scale_max - case when scale_max >= 7 then 2 else 1 end), 0
        )::bigint as easy,
        coalesce(sum(value * answered) filter (where valid), 0) as total,
        coalesce(sum(value * value * answered) filter (where valid), 0) as squares
    from (/* include analytics/_scored */) as scored
    group by key, bucket, scale_min, scale_max
)
/* include analytics/_largest */
