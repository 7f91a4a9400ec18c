-- Every column a record may be created with, and the three the hub adds. Named, so that a later column cannot shift them.
id, collected_at, created_at, updated_at, source_type, source_id, source_name, field_id, field_label, field_type,
field_group_id, field_group_label, value_text, value_id, value_number, value_boolean, value_date, metadata,
language, user_id, tenant_id, submission_id
