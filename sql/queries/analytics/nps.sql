-- Promoters, passives and detractors by group and bucket. Half-open, so that 8.5 is somewhere; what is beyond 0 to 10 is nowhere.
with cells as (
    select
        key,
        bucket,
        count(*) as records,
        count(*) filter (where value_number >= 9 and value_number <= 10) as promoters,
        count(*) filter (where value_number >= 7 and value_number < 9) as passives,
        count(*) filter (where value_number >= 0 and value_number < 7) as detractors
    from (/* include analytics/_placed */) as placed
    group by key, bucket
)
/* include analytics/_largest */
