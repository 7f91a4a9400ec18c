-- Where the page begins, as in the list of records.
($31::timestamptz is null or (collected_at <= $31 and (collected_at < $31 or id > $32::uuid)))
