-- What the latest records say of those who answered: the names of attributes, and other members that are worth a group.
select distinct name
from (
    select metadata from feedback_records where tenant_id = $1 and metadata is not null order by collected_at desc limit 2000
) as latest
cross join lateral (
    select 'metadata.attributes.' || key as name
    from jsonb_object_keys(case jsonb_typeof(metadata->'attributes') when 'object' then metadata->'attributes' else '{}' end) as key
    where key not like '%.%'
    union all
    select 'metadata.' || key from jsonb_object_keys(metadata) as key where key in ('country', 'device')
) as named
order by name
limit 20
