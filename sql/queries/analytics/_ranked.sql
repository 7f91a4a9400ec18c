-- A rank within as many items as were ranked; anything else is none. (jsonb sorts numbers between numbers.)
case when metadata -> 'total_items' between '1' and '1e6' and value_number >= 1 and value_number <= (metadata -> 'total_items')::float8
    then value_number end
