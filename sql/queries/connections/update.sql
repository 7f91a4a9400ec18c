-- A connection as it was changed; what happened to it meanwhile is counted elsewhere and stays.
update connections
set name = $2, base_url = $3, credentials = $4, token_hash = $5, insert_key_hash = $6, forms = $7, options = $8, status = $9,
    pull_minutes = $10, updated_at = now()
where id = $1
returning /* include connections/_columns */
