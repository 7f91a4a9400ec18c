-- How numbers are distributed, by group, bucket and scale. A quantile lies between two answers, found by how many are no greater.
-- Beyond a hundred different marks a histogram of them is no picture of anything, and they are left out.
with scored as materialized (
    select key, bucket, scale_min, scale_max, value, valid, sum(answered)::bigint as answered
    from (/* include analytics/_scored */) as scored
    group by key, bucket, scale_min, scale_max, value, valid
),
placed as (
    select
        *,
        sum(answered) filter (where valid) over cell as answers,
        sum(answered) filter (where valid) over (cell order by value) as up_to,
        count(*) filter (where valid) over cell <= 100 as few,
        sum(value * answered) filter (where valid) over cell / sum(answered) filter (where valid) over cell as mean
    from scored
    window cell as (partition by key, bucket, scale_min, scale_max)
),
cells as (
    select
        key, bucket, scale_min, scale_max, mean,
        sum(answered)::bigint as records,
        coalesce(answers, 0)::bigint as answers,
        sqrt(sum(answered * (value - mean) ^ 2) filter (where valid) / nullif(answers - 1, 0)) as sd,
        array_agg(value order by value) filter (where valid and few) as marks,
        array_agg(answered order by value) filter (where valid and few) as times,
        min(value) filter (where valid) as min,
        max(value) filter (where valid) as max,
        min(value) filter (where valid and up_to > floor(0.25 * (answers - 1))) as p25_low,
        min(value) filter (where valid and up_to > ceil(0.25 * (answers - 1))) as p25_high,
        min(value) filter (where valid and up_to > floor(0.5 * (answers - 1))) as median_low,
        min(value) filter (where valid and up_to > ceil(0.5 * (answers - 1))) as median_high,
        min(value) filter (where valid and up_to > floor(0.75 * (answers - 1))) as p75_low,
        min(value) filter (where valid and up_to > ceil(0.75 * (answers - 1))) as p75_high,
        min(value) filter (where valid and up_to > floor(0.9 * (answers - 1))) as p90_low,
        min(value) filter (where valid and up_to > ceil(0.9 * (answers - 1))) as p90_high
    from placed
    group by key, bucket, scale_min, scale_max, mean, answers
)
/* include analytics/_largest */
