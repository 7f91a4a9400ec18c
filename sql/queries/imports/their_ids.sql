-- Asked of the other hub's database: which of these records are still there.
select id from feedback_records where id = any($1::uuid[])
