-- A pull begins, or the one that was broken off goes on: unless another time is asked for now. Without a time ($3) it is
-- the end of the last one, less what may be seen late ($4); before the first one that is null, for everything.
insert into pulls (connection_id, form_id, began_at, since)
values ($1, $2, now(), $3)
on conflict (connection_id, form_id) do update set
    began_at = case when pulls.began_at is not null and ($3 is null or pulls.since = $3) then pulls.began_at else now() end,
    since = case when pulls.began_at is not null and ($3 is null or pulls.since = $3) then pulls.since
        else coalesce($3, pulls.through - $4::interval) end,
    checkpoint = case when pulls.began_at is not null and ($3 is null or pulls.since = $3) then pulls.checkpoint end,
    fetched = case when pulls.began_at is not null and ($3 is null or pulls.since = $3) then pulls.fetched else 0 end
returning connection_id, form_id, since, checkpoint, fetched,
    compared_at is null or compared_at < now() - interval '1 day' as comparison_due
