-- What `hub reflatten` goes over: a source, one form of it, one tenant, or all of them.
($1::text is null or source = $1) and ($2::text is null or form_id = $2) and ($3::text is null or tenant_id = $3)
