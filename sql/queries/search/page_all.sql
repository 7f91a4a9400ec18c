-- One page of all texts, whatever they say.
with hits as (
    select submission_id, field_id, id, collected_at
    from search_texts
    where tenant_id = $1 and words is not null and /* include search/_before */
),
/* include search/_page */
