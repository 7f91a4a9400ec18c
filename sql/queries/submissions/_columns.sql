-- A submission as it is shown, without its payload. Its time is that of its answers, as far as that is known.
tenant_id, submission_id, source, form_id, user_id, status, started_at, completed_at, duration_seconds, received_at,
payload is not null as payload_kept, coalesce(started_at, completed_at, received_at) as time
