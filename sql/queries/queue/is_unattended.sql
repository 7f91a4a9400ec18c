-- Whether nobody works the queue: what the worker does every minute was not done; before any worker came, a job has waited.
select coalesce(
    (select max(next_run) from pgqueuer_schedules where entrypoint = 'due') < now() - interval '90 seconds',
    exists (select from pgqueuer where status = 'queued' and execute_after < now() - interval '90 seconds')
)
