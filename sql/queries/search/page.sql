-- One page, looked for by the index on words: what few texts say is found wherever it is.
with hits as (
    select submission_id, field_id, id, collected_at
    from search_texts
    where tenant_id = $1 and words is not null and /* include search/_before */
    and ($37::text is null or words @@ $37::text::tsquery)
),
/* include search/_page */
