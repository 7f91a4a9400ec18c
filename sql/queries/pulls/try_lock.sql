-- One pull of a connection at a time: two would overtake each other's checkpoints. Held by the session.
select pg_try_advisory_lock(hashtextextended('pull ' || $1::uuid::text, 0))
