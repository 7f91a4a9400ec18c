-- What was rejected of a user is as personal as what was stored. Where the user (or the tenant) could not be read, the raw text is
-- searched for it as a whole value: `$3` (and `$5`) finds it in what looks like an object, `$4` (and `$6`) as a cell of a table.
delete from rejects
where (
    user_id = $1
    or (user_id is null and (raw ~ $3 or (raw !~ '^\s*\{' and raw ~ $4)))
)
and (
    $2::text is null
    or tenant_id = $2
    or (tenant_id = '' and (raw ~ $5 or (raw !~ '^\s*\{' and raw ~ $6)))
)
