-- What somebody answered, as one text: the option, whatever its label is called today, or else the words, the number, yes or no.
coalesce(value_id, nullif(lower(btrim(value_text)), ''), value_number::text, value_boolean::text)
