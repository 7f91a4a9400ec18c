-- Which questions there are, from the index alone where the filter allows it; then one look at the latest record of each for its names.
with counted as (
    select field_id, field_type, count(*) as records, min(collected_at) as first_seen, max(collected_at) as last_seen
    from feedback_records
    where /* include records/_filter */
    group by field_id, field_type
),
listed as (
    select *, count(*) over () as fields from counted order by records desc, field_id, field_type limit $32
)
select listed.*, latest.*
from listed
cross join lateral (
    select
        field_label, field_group_id, field_group_label, source_type, source_id, source_name,
        metadata -> 'total_items' is not null as ranked
    from feedback_records
    where /* include records/_filter */
    and field_id = listed.field_id and field_type = listed.field_type and collected_at = listed.last_seen
    order by id
    limit 1
) as latest
order by listed.records desc, listed.field_id, listed.field_type
