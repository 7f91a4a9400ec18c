-- The two best and the two worst marks of each scale, by group and bucket; of a scale so short that they meet, the best come first.
with cells as (
    select
        key, bucket, scale_min, scale_max,
        sum(answered)::bigint as records,
        coalesce(sum(answered) filter (where valid), 0)::bigint as answers,
        coalesce(sum(answered) filter (where valid and value >= top - 1), 0)::bigint as satisfied,
        coalesce(sum(answered) filter (where valid and value < top - 1 and value <= bottom + 1), 0)::bigint as dissatisfied,
        coalesce(sum(value * answered) filter (where valid), 0) as total
    from (
        select *, coalesce(scale_min, $36::float8) as bottom, coalesce(scale_max, $37::float8) as top
        from (/* include analytics/_scored */) as scored
    ) as marked
    group by key, bucket, scale_min, scale_max
)
/* include analytics/_largest */
