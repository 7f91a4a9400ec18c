-- Asked of the other hub's database: one page as its API would answer it. The time is a text, because Python has no year 0.
select collected_at::text as collected_at, id, /* include records/_json */ as record
from feedback_records
where tenant_id = $1
and ($2::text is null or (collected_at <= $2::text::timestamptz and (collected_at < $2::text::timestamptz or id > $3::uuid)))
order by collected_at desc, id
limit $4
