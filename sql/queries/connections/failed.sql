-- What went wrong with a connection, and what came through it all the same.
update connections
set received = received + $2, stored = stored + $3, failed = failed + $4, duplicates = duplicates + $5, last_error_at = now(),
    last_error = $6
where id = $1
