-- The questions that the selected records answer, and their parts: options of a multi-select, rows of a matrix, items of a ranking.
select
    field_id, field_type, field_group_id,
    max(field_label) as label, max(field_group_label) as group_label, max(source_name) as source, count(*) as records
from feedback_records
where /* include records/_filter */
group by field_id, field_type, field_group_id
order by count(*) desc, field_id
limit 500
