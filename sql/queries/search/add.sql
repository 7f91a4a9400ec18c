-- The next records in the order of arrival, as far as they are texts. In the order of keys, as the others, against deadlocks.
-- In two halves, for a moment at which a million arrived would be read from its beginning at each step.
-- (`is null` and not `not exists`: each key is to be looked up by itself. The table grows faster than its statistics.)
with arrived as materialized (
    select tenant_id, submission_id, field_id, id, created_at, collected_at, field_type, value_text,
        /* include search/_configuration */ as configuration
    from (
        (
            select * from feedback_records
            where tenant_id = $1 and created_at = $2 and id < $3
            order by id desc
            limit $4
        )
        union all
        (
            select * from feedback_records
            where tenant_id = $1 and created_at > $2
            order by created_at, id desc
            limit $4
        )
    ) as following
    order by created_at, id desc
    limit $4
),
added as (
    insert into search_texts (tenant_id, submission_id, field_id, id, collected_at, words)
    select tenant_id, submission_id, field_id, id, collected_at, /* include search/_words */
    from arrived
    where field_type = 'text' and value_text is not null and (
        select true from search_texts as s
        where s.tenant_id = $1 and s.submission_id = arrived.submission_id and s.field_id = arrived.field_id
    ) is null
    order by submission_id, field_id
    on conflict do nothing
)
select count(*), max(created_at) as created_at, (array_agg(id order by created_at desc, id))[1] as id,
    coalesce(array_agg(distinct configuration) filter (where field_type = 'text'), '{}') as configurations
from arrived
