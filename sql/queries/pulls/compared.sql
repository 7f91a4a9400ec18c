-- What is stored was held against what the vendor has.
update pulls set compared_at = now() where connection_id = $1 and form_id = $2
