-- What came through a connection and went well.
update connections
set received = received + $2, stored = stored + $3, failed = failed + $4, duplicates = duplicates + $5, last_success_at = now()
where id = $1
