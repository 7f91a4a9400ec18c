-- How often each option was chosen, by group and bucket, under its latest label: the $36 most chosen of each cell.
with counted as (
    select
        /* include analytics/_key */ as key,
        /* include analytics/_bucket */ as bucket,
        /* include analytics/_option */ as option,
        value_text as label,
        count(*) as records,
        max(collected_at) as last
    from feedback_records
    /* include analytics/_other */
    where /* include analytics/_selection */
    group by 1, 2, 3, 4
),
options as (
    select key, bucket, option, sum(records)::bigint as records, (array_agg(label order by last desc, label))[1] as label
    from counted
    group by key, bucket, option
),
cells as (
    select
        *,
        row_number() over (partition by key, bucket, option is null order by records desc, option) as nth,
        count(option) over (partition by key, bucket) as options
    from options
)
select * from (/* include analytics/_largest */) as largest where option is not null and nth <= $36 order by nth
