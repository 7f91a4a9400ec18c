-- CSAT by month, source, field and scale.
select
    tenant_id, date_trunc('month', day)::date as month, source_type, source_id, field_id, scale_min, scale_max,
    sum(count) as answers,
    100.0 * sum(satisfied) / nullif(sum(count), 0) as csat,
    sum(value_sum) / nullif(sum(count), 0) as mean
from {{ source('analytics', 'csat_daily') }}
group by 1, 2, 3, 4, 5, 6, 7
