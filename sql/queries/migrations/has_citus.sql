-- Whether tables can be distributed: the extension has to be in this very database.
select exists (select from pg_extension where extname = 'citus')
