-- A database that was never migrated has no ledger to read.
select to_regclass('schema_migrations') is not null
