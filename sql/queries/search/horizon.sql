-- Whatever is stored from now on is stamped with this time or a later one: a record has the start of its transaction, and may
-- be seen much later. Vacuum, backups and exports write none, and no transaction that does is older than ten minutes.
select greatest(coalesce(min(xact_start), now()), now() - interval '10 minutes')
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
and backend_type = 'client backend' and application_name not in ('feedback-hub export', 'pg_dump')
