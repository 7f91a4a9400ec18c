-- How jobs ended interests nobody after a week.
with old_statistics as (delete from pgqueuer_statistics where created < now() - interval '7 days')
delete from pgqueuer_log where created < now() - interval '7 days'
