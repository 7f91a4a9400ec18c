-- The page that is asked for most: everything of a tenant, latest first. No filter, so one plan serves every tenant.
select string_agg(record, E'\n')
from (
    select /* include records/_json */ as record
    from feedback_records
    where tenant_id = $1 and collected_at <= $2 and (collected_at < $2 or id > $3::uuid)
    order by collected_at desc, id
    limit $4
) as page
