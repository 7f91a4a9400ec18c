-- How a connection fares: adds to its counters, and notes that something went well, or what did not.
update connections
set received = received + $2, stored = stored + $3, failed = failed + $4, duplicates = duplicates + $5,
    last_success_at = case when $6::text is null then now() else last_success_at end,
    last_error_at = case when $6 is null then last_error_at else now() end,
    last_error = coalesce($6, last_error)
where id = $1
