-- The words of a text, and its tenant and language as two more, which no text can contain: the parser drops control characters.
-- Of a text that is longer than ours may be, and came from another hub, those of its beginning: Postgres holds so many words and no more.
array_to_tsvector(array[E'\x01' || tenant_id, E'\x02' || configuration])
    || to_tsvector(configuration::regconfig, left(value_text, 30000))
