-- Small and looked up without a tenant: a copy on every node.
select create_reference_table($1::text::regclass)
