-- What a payload holds while it is stored, of its submission and its user: many may, but no erasure beside them.
select pg_advisory_xact_lock_shared($1), pg_advisory_xact_lock_shared($2)
