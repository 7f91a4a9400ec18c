-- The records, each with its submission's answer to another question when groups are made by that. Otherwise the join has nothing to
-- give, at most one row a record by the unique key, and the planner drops it.
feedback_records
left join (
    select submission_id as answering, /* include analytics/_answer */ as answer
    from feedback_records
    where tenant_id = $1 and field_id = case ($32::text[])[1] when 'answer' then ($32::text[])[2] else '' end
) as answers on answering = submission_id
