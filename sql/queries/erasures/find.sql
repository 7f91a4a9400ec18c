-- Which of these were erased, in this tenant or in all, and when. The hashes come one after the other, 32 bytes each: of an
-- array type asyncpg would ask the database what it is, which every new connection would wait for.
select hash, erased_at from erasures
where tenant_id in ($1, '')
and hash = any(array(
    select substr($2, n * 32 + 1, 32) from generate_series(0, octet_length($2::bytea) / 32 - 1) as n
))
