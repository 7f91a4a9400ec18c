-- With the answer to the question that records are grouped by: joined, for a lookup would be made record by record. Where they are grouped
-- by anything else, nothing reads the answer and each column of the unique index has its value, so the planner leaves the join out.
left join (
    select submission_id as asked_id, /* include analytics/_answer */ as answer
    from feedback_records
    where tenant_id = $1 and field_id = coalesce(($32::text[])[2], '')
) as other on asked_id = case ($32::text[])[1] when 'answer' then submission_id else '' end
