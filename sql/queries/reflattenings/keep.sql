-- A run as far as it is.
insert into reflattenings (selection, version, last_tenant, last_submission, done) values ($1, $2, $3, $4, $5)
on conflict (selection) do update
set version = excluded.version, last_tenant = excluded.last_tenant, last_submission = excluded.last_submission, done = excluded.done
