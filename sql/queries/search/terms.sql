-- The words that most of the latest texts have, each counted once a text, and how the texts spell it most.
with texts as materialized (
    select h.words, h.submission_id, h.field_id
    from search_texts as h
    cross join lateral (
        select 1 as kept from feedback_records
        where /* include records/_filter */
        and submission_id = h.submission_id and field_id = h.field_id
    ) as r
    left join lateral (/* include search/_nps */) as s on true
    where h.tenant_id = $1 and h.words is not null and /* include search/_segment */
    order by h.collected_at desc, h.id
    limit $33
),
terms as (
    select term, count(*) as count
    from texts, unnest(tsvector_to_array(words)) as term
    group by term
    -- Neither tenant nor language, nor a mere number. (Nothing here may depend on how the database sorts.)
    having left(term, 1) not in (E'\x01', E'\x02') and term ~ '[^0-9.,:/+-]'
    order by count(*) desc, term
    limit $34
),
labeled as (
    select term, count, coalesce(label, term) as label
    from terms
    left join lateral (
        select lower(token) as label
        from (
            select submission_id, field_id from texts where words @@ array_to_tsvector(array[term])::text::tsquery limit 8
        ) as sample
        cross join lateral (
            select value_text, /* include search/_configuration */ as configuration
            from feedback_records as r
            where r.tenant_id = $1 and r.submission_id = sample.submission_id and r.field_id = sample.field_id
        ) as spelled
        cross join ts_parse('default', value_text) as parsed
        where tsvector_to_array(to_tsvector(configuration::regconfig, token)) = array[term]
        group by lower(token)
        order by count(*) desc, lower(token)
        limit 1
    ) as spelling on true
)
select texts, term, count, label
from (select count(*) as texts from texts) as total
left join labeled on true
order by count desc, term
