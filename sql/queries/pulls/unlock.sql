-- The pull of a connection is over.
select pg_advisory_unlock(hashtextextended('pull ' || $1::uuid::text, 0))
