-- The first secret that a database is used with stays.
insert into secret (purpose, hash) values ('markers', $1) on conflict (purpose) do nothing
