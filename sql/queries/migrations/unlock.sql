-- Given back by name, so that a connection that outlives the migration does not keep the others waiting.
select pg_advisory_unlock(7166017265413)
