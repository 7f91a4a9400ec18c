-- A page is stored: what is broken off from here on goes on after it.
update pulls set checkpoint = $3, fetched = fetched + $4 where connection_id = $1 and form_id = $2
