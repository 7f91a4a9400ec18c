-- The latest snapshot. One that says the same again writes nothing.
update submissions
set form_id = $3, user_id = $4, status = $5, started_at = $6, completed_at = $7, duration_seconds = $8,
    snapshot_order = $9, payload = $10, options = $11, received_at = now()
where tenant_id = $1 and submission_id = $2
    and (form_id, user_id, status, started_at, completed_at, duration_seconds, snapshot_order, payload, options)
        is distinct from ($3, $4, $5, $6::timestamptz, $7::timestamptz, $8::double precision, $9, $10::jsonb, $11::jsonb)
