-- Which option was chosen: its id, or the words, case and blanks around them aside.
coalesce(value_id, nullif(lower(btrim(value_text)), ''))
