-- The first time it was undone stays.
update batches set undone_at = coalesce(undone_at, now()) where id = $1
