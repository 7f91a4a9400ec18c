-- The end of a statement with the CTE `hits`: the newest that the filter lets through, with the NPS of their submission, and the
-- words that were looked for marked. That is HTML, and everything in it that was not ours is escaped.
-- (A submission has one NPS as a rule; of several valid ones the first field counts.)
page as (
    select record, value_text, configuration, nps
    from hits as h
    cross join lateral (
        select /* include records/_json */ as record, value_text, /* include search/_configuration */ as configuration
        from feedback_records
        where /* include records/_filter */
        and submission_id = h.submission_id and field_id = h.field_id
        limit 1 -- there is one; said so, that each is looked up by itself, and only until the page is full
    ) as r
    left join lateral (/* include search/_nps */) as s on true
    where /* include search/_segment */
    order by h.collected_at desc, h.id
    limit $33
)
select string_agg(concat(
    left(record, -1), ',"nps":' || to_json(nps), ',"highlight":' || to_json(/* include search/_highlight */), '}'
), E'\n')
from page
