-- A new connection.
insert into connections (
    id, source, tenant_id, name, base_url, credentials, token_hash, insert_key_hash, forms, options, status, pull_minutes
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
returning /* include connections/_columns */
