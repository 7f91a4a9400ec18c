-- What came from the other hub before and lies in the stretch of a page, first arrived first: after ($3, $4), up to ($5, $6).
-- In parts, so that each is a stretch of the index even where thousands of records have the same time. Times come as texts,
-- because the driver takes the first and the last that Python knows for infinities.
select id from feedback_records
where tenant_id = $1 and batch_id = $2
and $3::text = $5::text and created_at = $3::text::timestamptz and id > $4::uuid and id <= $6::uuid
union all
select id from feedback_records
where tenant_id = $1 and batch_id = $2
and $3::text is distinct from $5::text and created_at = $3::text::timestamptz and id > $4::uuid
union all
select id from feedback_records
where tenant_id = $1 and batch_id = $2
and ($3::text is null or created_at > $3::text::timestamptz) and ($5::text is null or created_at < $5::text::timestamptz)
union all
select id from feedback_records
where tenant_id = $1 and batch_id = $2
and $3::text is distinct from $5::text and created_at = $5::text::timestamptz and id <= $6::uuid
