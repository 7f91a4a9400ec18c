-- One page of a tenant's submissions, latest first, the id breaking ties. An empty array and a null select everything. The
-- condition on the time stands alone as well, because the index can start from it.
select /* include submissions/_columns */
from submissions
where tenant_id = $1
and case cardinality($2::text[]) when 0 then true else status = any($2) end
and case cardinality($3::text[]) when 0 then true when 1 then source = ($3::text[])[1] else source = any($3) end
and case cardinality($4::text[]) when 0 then true when 1 then form_id = ($4::text[])[1] else form_id = any($4) end
and case cardinality($5::text[]) when 0 then true when 1 then user_id = ($5::text[])[1] else user_id = any($5) end
and ($6::timestamptz is null or coalesce(started_at, completed_at, received_at) >= $6)
and ($7::timestamptz is null or coalesce(started_at, completed_at, received_at) <= $7)
and ($8::timestamptz is null or (
    coalesce(started_at, completed_at, received_at) <= $8
    and (coalesce(started_at, completed_at, received_at) < $8 or submission_id > $9)
))
order by coalesce(started_at, completed_at, received_at) desc, submission_id
limit $10
