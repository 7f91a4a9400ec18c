-- A page of what became of a tenant's records, from ($2, $3) on and before $4, each record where its last change was: those that are as
-- they were made, those that were changed, and what `changes` knows. Of that, nothing from before the copy was begun ($6): then it
-- never had what was gone, and finds the rest in the records. Ties go by id downwards, as the indexes have them when they are read
-- backwards; each part is bounded by itself, so that none is read further than the page needs.
with made as (
    select created_at as at, id, 'created' as change, /* include records/_json */ as record
    from feedback_records
    where tenant_id = $1 and created_at >= $2 and (created_at > $2 or id < $3) and created_at < $4
    and updated_at <= created_at
    order by created_at, id desc
    limit $5
),
changed as (
    select updated_at as at, id, 'updated' as change, /* include records/_json */ as record
    from feedback_records
    where tenant_id = $1 and updated_at >= $2 and (updated_at > $2 or id < $3) and updated_at < $4
    and updated_at > created_at
    order by updated_at, id desc
    limit $5
),
told as (
    select c.changed_at as at, c.record_id as id,
        case when c.kind <> 'stored' then c.kind when r.updated_at > r.created_at then 'updated' else 'created' end as change,
        r.record
    from changes as c
    left join lateral (
        select created_at, updated_at, /* include records/_json */ as record
        from feedback_records
        where tenant_id = $1 and id = c.record_id and c.kind = 'stored'
    ) as r on true
    where c.tenant_id = $1 and c.changed_at >= $2 and (c.changed_at > $2 or c.record_id < $3) and c.changed_at < $4
    and c.changed_at >= $6
    -- What came and went again is told by its going.
    and (c.kind <> 'stored' or r.record is not null)
    order by c.changed_at, c.record_id desc
    limit $5
)
select at, id, change, record
from (select * from made union all select * from changed union all select * from told) as page
order by at, id desc
limit $5
