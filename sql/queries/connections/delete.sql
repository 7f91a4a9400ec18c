-- A connection that nobody wants to see any more. What came through it stays.
delete from connections where id = $1 and ($2::text is null or tenant_id = $2)
