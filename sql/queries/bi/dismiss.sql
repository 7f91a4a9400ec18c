-- A reader sees nothing any more. How many tenants it saw.
with gone as (delete from reader_tenants where role = $1 returning 1)
select count(*) from gone
