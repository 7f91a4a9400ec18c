-- With the answer to the question that records are grouped by. Joined, for a lookup would be made record by record. Where nobody groups by
-- an answer, the condition is of the joined table alone, all of the unique index is given, nothing reads the answer: the planner leaves it out.
left join (
    select submission_id as asked_id, /* include analytics/_answer */ as answer
    from feedback_records
    where tenant_id = $1 and field_id = coalesce(($32::text[])[2], '')
) as other on asked_id = case ($32::text[])[1] when 'answer' then submission_id else '' end
