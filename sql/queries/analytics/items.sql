-- How each item was ranked, by group and bucket, under its latest label.
with counted as (
    select
        /* include analytics/_key */ as key,
        /* include analytics/_bucket */ as bucket,
        field_id as item,
        field_label as label,
        count(*) as records,
        count(/* include analytics/_ranked */) as answers,
        sum(/* include analytics/_ranked */) as ranks,
        sum((metadata -> 'total_items')::float8 + 1 - value_number) filter (where /* include analytics/_ranked */ is not null) as borda,
        count(*) filter (where /* include analytics/_ranked */ = 1) as firsts,
        max(collected_at) as last
    from feedback_records
    /* include analytics/_other */
    where /* include analytics/_selection */
    group by 1, 2, 3, 4
),
cells as (
    select
        key, bucket, item,
        sum(records)::bigint as records,
        sum(answers)::bigint as answers,
        sum(ranks) as ranks,
        sum(borda) as borda,
        sum(firsts)::bigint as firsts,
        (array_agg(label order by last desc, label))[1] as label
    from counted
    group by key, bucket, item
)
select * from (/* include analytics/_largest */) as largest where answers > 0
