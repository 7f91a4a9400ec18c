-- Vendors have given up on what they delivered so long ago.
delete from deliveries where received_at < now() - make_interval(days => $1)
