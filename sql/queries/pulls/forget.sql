-- Connections that are none of these were deleted, and are not pulled any more. One that is only just made may not be listed yet.
delete from pulls where connection_id <> all ($1::uuid[]) and coalesce(began_at, through) < now() - interval '1 hour'
