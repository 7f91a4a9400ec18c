-- One page, looked for by the index on words: what few texts say is found wherever it is. (Materialized, or a plan may read all
-- texts in their order until the page is full: that is what `page_latest` has just given up. And in order, or all of their records are read.)
with found as materialized (
    select submission_id, field_id, id, collected_at
    from search_texts
    where tenant_id = $1 and words is not null and words @@ $37::text::tsquery and /* include search/_before */
),
hits as (select * from found order by collected_at desc, id offset 0),
/* include search/_page */
