-- Distributing copies the rows and leaves the old ones hidden on the coordinator's disk.
select truncate_local_data_after_distributing_table($1::text::regclass)
