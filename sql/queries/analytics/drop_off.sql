-- How many of the submissions that were not dismissed answered each question, the parts of a question taken together, and how many
-- there are of the forms that ask it: another form never had the question to lose anybody at. $8 of the questions.
with chosen as (
    select submission_id as chosen_id, source, form_id, count(*) over (partition by source, form_id) as begun
    from submissions
    where /* include submissions/_filter */
    and status <> 'dismissed'
),
answered as (
    select
        coalesce(field_group_id, field_id) as question,
        max(coalesce(field_group_label, field_label)) as label,
        count(distinct submission_id) as answered,
        begun
    from feedback_records
    join chosen on submission_id = chosen_id
    where tenant_id = $1
    group by 1, source, form_id, begun
)
select question as field_id, max(label) as label, sum(answered)::bigint as answered, sum(begun)::bigint as submissions
from answered
group by question
order by 3 desc, 1
limit $8
