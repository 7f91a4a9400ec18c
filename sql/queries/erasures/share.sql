-- What a payload holds while it is stored: many may, but no erasure beside them.
select pg_advisory_xact_lock_shared(key) from unnest($1::bigint[]) as key
