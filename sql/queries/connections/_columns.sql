-- A connection as the code knows it.
id, source, tenant_id, name, base_url, credentials, token_hash, insert_key_hash, forms, options, status, pull_minutes,
created_at, updated_at, last_success_at, last_error_at, last_error, received, stored, failed, duplicates
