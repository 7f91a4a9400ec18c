-- A job for the worker, in the transaction of what makes it necessary; not twice while the same one waits or runs. A job
-- that waits for later is brought forward by one that is due sooner.
insert into pgqueuer (priority, entrypoint, payload, dedupe_key, execute_after, status)
values (0, $1, $2, $3, now() + $4, 'queued')
on conflict (dedupe_key) where status in ('queued', 'picked') and dedupe_key is not null
do update set execute_after = excluded.execute_after, updated = now()
where pgqueuer.status = 'queued' and pgqueuer.execute_after > excluded.execute_after
