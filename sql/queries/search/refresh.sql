-- The words of records that were changed; of those that are no more, or no text any more, nothing stays.
with changed as materialized (
    select submission_id, field_id from unnest($2::text[], $3::text[]) as c (submission_id, field_id)
),
texts as materialized (
    select r.tenant_id, submission_id, field_id, r.id, r.collected_at, r.value_text, /* include search/_configuration */ as configuration
    from changed
    join feedback_records as r using (submission_id, field_id)
    where r.tenant_id = $1 and r.field_type = 'text' and r.value_text is not null
),
fresh as (
    update search_texts as s
    set id = t.id, collected_at = t.collected_at, words = t.words
    from (select submission_id, field_id, id, collected_at, /* include search/_words */ as words from texts) as t
    where s.tenant_id = $1 and s.submission_id = t.submission_id and s.field_id = t.field_id
),
gone as (
    delete from search_texts as s
    using changed as c
    where s.tenant_id = $1 and s.submission_id = c.submission_id and s.field_id = c.field_id
    and not exists (select from texts as t where t.submission_id = c.submission_id and t.field_id = c.field_id)
)
select coalesce(array_agg(distinct configuration), '{}') from texts
