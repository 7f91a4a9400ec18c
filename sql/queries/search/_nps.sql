-- What the submission of the text `h` scored.
select value_number as nps from feedback_records
where tenant_id = $1 and submission_id = h.submission_id and field_type = 'nps' and value_number between 0 and 10
order by field_id
limit 1
