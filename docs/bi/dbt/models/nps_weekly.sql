-- NPS by week, source and field: counts first, the ratio last.
with weeks as (
    select
        tenant_id, date_trunc('week', day)::date as week, source_type, source_id, field_id,
        sum(count) as answers, sum(promoters) as promoters, sum(detractors) as detractors
    from {{ source('analytics', 'nps_daily') }}
    group by 1, 2, 3, 4, 5
)
select
    *,
    100.0 * (promoters - detractors) / nullif(answers, 0) as nps,
    196 * sqrt(((promoters + detractors) / answers - ((promoters - detractors) / answers) ^ 2) / answers) as margin_of_error
from weeks
where answers > 0
