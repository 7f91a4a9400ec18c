-- When the key was last used. The condition again, because several processes find it due at the same moment.
update api_keys set last_used_at = now()
where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')
