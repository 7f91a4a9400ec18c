-- The ledger, to be compared with the files.
select version, name, sha256 from schema_migrations order by version
