-- How often each number was answered, by group, bucket and scale: a million answers become some dozens, and what is computed of them
-- costs nothing more. jsonb sorts numbers between numbers, so what lies between two is one, and small enough to be cast.
select
    key, bucket, value, answered, scale_min, scale_max,
    coalesce(value >= coalesce(scale_min, $36::float8) and value <= coalesce(scale_max, $37::float8), false) as valid
from (
    select
        key, bucket, value, answered,
        case when is_scale then (scale -> 'min')::float8 end as scale_min,
        case when is_scale then (scale -> 'max')::float8 end as scale_max
    from (
        select
            *,
            coalesce(
                scale -> 'min' between '-1e15' and '1e15' and scale -> 'max' between '-1e15' and '1e15'
                and scale -> 'min' < scale -> 'max',
                false
            ) as is_scale
        from (
            select
                /* include analytics/_key */ as key,
                /* include analytics/_bucket */ as bucket,
                metadata -> 'scale' as scale,
                value_number as value,
                count(*) as answered
            from feedback_records
            /* include analytics/_other */
            where /* include analytics/_selection */
            group by 1, 2, 3, 4
        ) as counted
    ) as looked_at
) as scaled
