-- One page, looked for among so many of the latest texts: what many texts say is found there at once. Null when these were not
-- all, and did not fill the page.
with latest as materialized (
    select submission_id, field_id, id, collected_at, words
    from search_texts
    where tenant_id = $1 and words is not null and /* include search/_before */
    order by collected_at desc, id
    limit $38
),
hits as (
    select submission_id, field_id, id, collected_at from latest
    where words @@ $37::text::tsquery
    order by collected_at desc, id
    offset 0
),
/* include search/_page */
having count(*) = $33 or (select count(*) from latest) < $38
