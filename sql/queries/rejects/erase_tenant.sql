-- What was rejected of a tenant; where that could not be read, the raw text is searched for it, as for a user.
delete from rejects
where tenant_id = $1 or (tenant_id = '' and (raw ~ $2 or (raw !~ '^\s*\{' and raw ~ $3)))
