-- Text answers with what their submission scored.
select f.tenant_id, f.id, f.collected_at, f.source_name, f.field_label, f.language, f.value_text, s.nps, s.nps_segment
from {{ source('analytics', 'feedback') }} as f
left join {{ source('analytics', 'submissions') }} as s
    on s.tenant_id = f.tenant_id and s.submission_id = f.submission_id
where f.field_type = 'text' and f.value_text is not null
