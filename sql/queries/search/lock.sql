-- One at a time brings a tenant's words up to date. Ends with the transaction.
select pg_advisory_xact_lock(hashtextextended('search ' || $1, 0))
