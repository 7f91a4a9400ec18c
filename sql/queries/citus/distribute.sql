-- Rows of one tenant live together, and so do its rows in the other tables ($2: the table to live with).
select create_distributed_table($1::text::regclass, 'tenant_id', colocate_with => $2)
