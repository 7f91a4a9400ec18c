-- Everything up to when the pull began is here; not so, if it was asked for a later time than the one before had reached.
update pulls
set through = case when since is null or since <= through then began_at else through end,
    began_at = null, since = null, checkpoint = null, fetched = 0
where connection_id = $1 and form_id = $2
