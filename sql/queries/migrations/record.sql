-- Written in the migration's own transaction wherever it has one.
insert into schema_migrations (version, name, sha256) values ($1, $2, $3)
