-- How many of the submissions that were not dismissed answered each question, the parts of a question taken together, and how many
-- there are of the forms that ask it: another form never had the question to lose anybody at. Of all forms together and, the largest
-- first, of each. $8 of the questions of either.
with chosen as (
    select submission_id as chosen_id, source, form_id, count(*) over (partition by source, form_id) as begun
    from submissions
    where /* include submissions/_filter */
    and status <> 'dismissed'
),
answers as (
    select
        coalesce(field_group_id, field_id) as question,
        form_id,
        max(coalesce(field_group_label, field_label)) as label,
        count(distinct submission_id) as answered,
        begun
    from feedback_records
    join chosen on submission_id = chosen_id
    where tenant_id = $1
    group by 1, source, form_id, begun
),
counted as (
    select
        grouping(form_id) = 0 as of_form,
        form_id,
        question,
        max(label) as label,
        sum(answered)::bigint as answered,
        sum(begun)::bigint as submissions
    from answers
    group by grouping sets ((question), (question, form_id))
),
placed as (
    select *, row_number() over (
        partition by of_form order by case when of_form then submissions end desc, answered desc, question
    ) as place
    from counted
)
select of_form, form_id, question as field_id, label, answered, submissions
from placed
where place <= $8
order by of_form, place
