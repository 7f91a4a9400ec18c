-- A page of an API was asked for by its form and may not name it: without it, a payload that was kept could not be tried again.
alter table rejects add column form_id text;
