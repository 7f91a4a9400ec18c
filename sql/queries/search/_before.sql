-- Where the page begins, as in the list of records.
($34::timestamptz is null or (collected_at <= $34 and (collected_at < $34 or id > $35::uuid)))
