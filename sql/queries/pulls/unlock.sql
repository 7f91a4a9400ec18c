-- The pull of a connection is over.
select pg_advisory_unlock(hashtextextended('pull ' || $1::text, 0))
