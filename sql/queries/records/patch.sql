-- Changes the members the patch has; a null clears. A patch that changes nothing writes nothing and returns no row.
-- A changed text is no longer the one that was analyzed and translated; a changed language only spoils the translation.
with touched as (
    update feedback_records as r
    set
        value_text = case when $2 ? 'value_text' then p.value_text else r.value_text end,
        value_id = case when $2 ? 'value_id' then p.value_id else r.value_id end,
        value_number = case when $2 ? 'value_number' then p.value_number else r.value_number end,
        value_boolean = case when $2 ? 'value_boolean' then p.value_boolean else r.value_boolean end,
        value_date = case when $2 ? 'value_date' then p.value_date else r.value_date end,
        metadata = case when $2 ? 'metadata' then p.metadata else r.metadata end,
        language = case when $2 ? 'language' then p.language else r.language end,
        user_id = case when $2 ? 'user_id' then p.user_id else r.user_id end,
        sentiment = case when $2 ? 'value_text' and btrim(p.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
            then null else r.sentiment end,
        sentiment_score = case when $2 ? 'value_text' and btrim(p.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
            then null else r.sentiment_score end,
        emotions = case when $2 ? 'value_text' and btrim(p.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
            then null else r.emotions end,
        value_text_translated = case when $2 ? 'value_text' and btrim(p.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
            or $2 ? 'language' and p.language is distinct from r.language
            then null else r.value_text_translated end,
        translation_lang_key = case when $2 ? 'value_text' and btrim(p.value_text, E' \t\n\x0b\f\r') is distinct from btrim(r.value_text, E' \t\n\x0b\f\r')
            or $2 ? 'language' and p.language is distinct from r.language
            then null else r.translation_lang_key end,
        updated_at = now()
    from jsonb_populate_record(null::feedback_records, $2::jsonb) as p
    where r.id = $1 and ($3::text is null or r.tenant_id = $3)
    and (
        $2 ? 'value_text' and p.value_text is distinct from r.value_text
        or $2 ? 'value_id' and p.value_id is distinct from r.value_id
        or $2 ? 'value_number' and p.value_number is distinct from r.value_number
        or $2 ? 'value_boolean' and p.value_boolean is distinct from r.value_boolean
        or $2 ? 'value_date' and p.value_date is distinct from r.value_date
        or $2 ? 'metadata' and p.metadata is distinct from r.metadata
        or $2 ? 'language' and p.language is distinct from r.language
        or $2 ? 'user_id' and p.user_id is distinct from r.user_id
    )
    returning r.*
),
changed as (/* include search/_changed */)
select /* include records/_json */
from touched
