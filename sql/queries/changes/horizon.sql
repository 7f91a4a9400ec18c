-- Up to when all that was written can be seen: before the beginning of the oldest transaction that may still write, since a row
-- bears the time at which its transaction began, however much later that is committed. Null while a prepared transaction is open, as
-- nobody knows when that began. ($1: seconds for a transaction that has its time already and is not yet shown here.)
-- Exports and dumps only read, and so does a role that may not write; what belongs to other roles shows only to pg_read_all_stats.
select case
    when exists (select from pg_prepared_xacts where database = current_database()) then null
    else least(clock_timestamp(), min(xact_start)) - make_interval(secs => $1)
end
from pg_stat_activity
where datname = current_database()
and pid <> pg_backend_pid()
and backend_type in ('client backend', 'background worker', 'parallel worker')
and application_name not in ('feedback-hub export', 'pg_dump')
and has_table_privilege(usesysid, 'feedback_records', 'insert, update, delete')
