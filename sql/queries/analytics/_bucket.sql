-- The number of the bucket: $34 has the moments at which they begin, so that no record asks for the rules of a time zone.
case cardinality($34::timestamptz[]) when 0 then null else width_bucket(collected_at, $34::timestamptz[]) end
