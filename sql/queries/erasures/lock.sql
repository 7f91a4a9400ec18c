-- Whoever erases waits for the payloads that are being stored, and the other way round: what one has not committed the other
-- does not see. Held to the end of the transaction, and taken before any row is locked.
select pg_advisory_xact_lock($1)
