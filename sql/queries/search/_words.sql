-- The words of a text, and its tenant and language as two more, which no text can contain: the parser drops control characters.
array_to_tsvector(array[E'\x01' || tenant_id, E'\x02' || configuration])
    || to_tsvector(configuration::regconfig, value_text)
