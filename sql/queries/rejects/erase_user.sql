-- What was rejected of a user is as personal as what was stored. Where the user could not be read, the raw text is searched:
-- rather a reject too many than somebody's words kept.
delete from rejects
where (user_id = $1 or (user_id is null and position($1 in raw) > 0))
and ($2::text is null or tenant_id = $2 or (tenant_id = '' and position($2 in raw) > 0))
