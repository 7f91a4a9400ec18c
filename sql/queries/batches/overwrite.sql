-- A staged chunk over the table: new records are inserted, different ones replaced, identical ones left alone and not returned.
-- The keys of the chunk are distinct. A record that comes without a time of collection keeps the one it has.
with written as (
insert into feedback_records as r (/* include records/_columns */, batch_id)
select s.id, coalesce(s.collected_at, known.collected_at, now()), now(), now(), s.source_type, s.source_id, s.source_name,
    s.field_id, s.field_label, s.field_type, s.field_group_id, s.field_group_label, s.value_text, s.value_id, s.value_number,
    s.value_boolean, s.value_date, s.metadata, s.language, s.user_id, s.tenant_id, s.submission_id, $1::uuid
from staged as s
left join feedback_records as known
    on known.tenant_id = s.tenant_id and known.submission_id = s.submission_id and known.field_id = s.field_id
    and s.collected_at is null
order by s.tenant_id, s.submission_id, s.field_id
/* include records/_overwrite */
returning r.id, r.tenant_id, r.submission_id, r.field_id
),
touched as (select tenant_id, submission_id, field_id from written where id not in (select id from staged)),
changed as (/* include search/_changed */)
select id, tenant_id, submission_id, field_id from written
