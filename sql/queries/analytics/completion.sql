-- How submissions ended, by group and bucket. Whether a source tells of those that were begun and not finished, or dismissed, is seen from
-- all it ever told.
with telling as (
    select
        source as teller,
        bool_or(status in ('started', 'partial')) as tells_unfinished,
        bool_or(status = 'dismissed') as tells_dismissed
    from submissions
    where tenant_id = $1
    group by source
),
cells as (
    select
        case $8::text when 'source' then source when 'form_id' then form_id end as key,
        case cardinality($9::timestamptz[]) when 0 then null
            else width_bucket(coalesce(started_at, completed_at, received_at), $9::timestamptz[]) end as bucket,
        count(*) as submissions,
        count(*) filter (where status = 'started') as started,
        count(*) filter (where status = 'partial') as partial,
        count(*) filter (where status = 'completed') as completed,
        count(*) filter (where status = 'dismissed') as dismissed,
        count(*) filter (where tells_unfinished and status <> 'dismissed') as rate_base,
        count(*) filter (where tells_unfinished and status = 'completed') as rate_completed,
        bool_or(tells_unfinished) as tells_unfinished,
        bool_or(tells_dismissed) as tells_dismissed,
        percentile_cont(0.5) within group (order by duration_seconds) filter (where status = 'completed') as median_duration
    from submissions
    join telling on source = teller
    where /* include submissions/_filter */
    group by 1, 2
)
select * from (
    select *, max(place) over () as groups
    from (
        select *, dense_rank() over (order by size desc, key) as place
        from (select *, sum(submissions) over (partition by key) as size from cells) as sized
    ) as placed
) as ranked
where place <= $10
order by place, bucket
