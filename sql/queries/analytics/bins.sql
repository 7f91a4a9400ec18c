-- How many numbers lie between one of the edges ($38) and the next, by group, bucket and scale. The last edge belongs to the last bin.
with cells as (
    select
        key, bucket, scale_min, scale_max,
        case when valid then least(width_bucket(value, $38::float8[]), cardinality($38::float8[]) - 1) end as bin,
        sum(answered)::bigint as records
    from (/* include analytics/_scored */) as scored
    group by 1, 2, 3, 4, 5
)
select *, $38::float8[] as edges from (/* include analytics/_largest */) as largest where bin is not null
