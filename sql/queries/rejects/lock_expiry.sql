-- One process at a time ends retention; the others need not wait. Held until the transaction ends.
select pg_try_advisory_xact_lock(7166017265414)
