-- How many of the submissions that were not dismissed answered each question, the parts of a question taken together: $8 of the questions.
with chosen as (
    select submission_id as chosen_id from submissions
    where /* include submissions/_filter */
    and status <> 'dismissed'
)
select
    coalesce(field_group_id, field_id) as field_id,
    max(coalesce(field_group_label, field_label)) as label,
    count(distinct submission_id) as answered
from feedback_records
join chosen on submission_id = chosen_id
where tenant_id = $1
group by 1
order by answered desc, field_id
limit $8
