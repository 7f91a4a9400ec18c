-- Which of these were erased, in this tenant or in all, and when.
select hash, erased_at from erasures where tenant_id in ($1, '') and hash = any($2::bytea[])
