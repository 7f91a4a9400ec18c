-- What a list of submissions may select by, and what is counted of them; the parameters are the members of `SubmissionFilter`.
tenant_id = $1
and case cardinality($2::text[]) when 0 then true else status = any($2) end
and case cardinality($3::text[]) when 0 then true when 1 then source = ($3::text[])[1] else source = any($3) end
and case cardinality($4::text[]) when 0 then true when 1 then form_id = ($4::text[])[1] else form_id = any($4) end
and case cardinality($5::text[]) when 0 then true when 1 then user_id = ($5::text[])[1] else user_id = any($5) end
and ($6::timestamptz is null or coalesce(started_at, completed_at, received_at) >= $6)
and ($7::timestamptz is null or coalesce(started_at, completed_at, received_at) <= $7)
