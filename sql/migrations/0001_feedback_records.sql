-- One row per answered field. Column names are the wire's: BI users and the Formbricks charts select them by name.
create table feedback_records (
    id uuid not null,
    collected_at timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    source_type text not null,
    source_id text,
    source_name text,
    field_id text not null,
    field_label text,
    field_type text not null,
    field_group_id text,
    field_group_label text,
    value_text text,
    value_id text,
    value_number double precision,
    value_boolean boolean,
    value_date timestamptz,
    metadata jsonb,
    language text,
    user_id text,
    tenant_id text not null,
    submission_id text not null,
    value_text_translated text,
    translation_lang_key text,
    sentiment text,
    sentiment_score double precision,
    emotions text[],
    -- The tenant is part of every unique index, so that the table can be distributed by it.
    constraint feedback_records_pkey primary key (id, tenant_id),
    constraint feedback_records_field_type_check check (
        field_type in ('text', 'categorical', 'nps', 'csat', 'ces', 'rating', 'number', 'boolean', 'date')
    ),
    constraint feedback_records_sentiment_check check (
        (sentiment is null) = (sentiment_score is null) and sentiment_score between -1 and 1
    ),
    constraint feedback_records_emotions_check check (cardinality(emotions) > 0)
);

-- Idempotent ingestion, and the list of one submission.
create unique index feedback_records_submission_field_key on feedback_records (tenant_id, submission_id, field_id);
-- The list in its default order.
create index feedback_records_collected_idx on feedback_records (tenant_id, collected_at desc, id);
-- The list in order of arrival.
create index feedback_records_created_idx on feedback_records (tenant_id, created_at desc, id);
-- The list of one survey.
create index feedback_records_source_idx on feedback_records (tenant_id, source_id, collected_at desc, id);
-- The answers to one field over time (without the id: ties are sorted as they are read); the included columns let a score be counted without touching the table.
create index feedback_records_field_idx on feedback_records (tenant_id, field_id, collected_at desc)
    include (field_type, value_number);
-- Erasing a user, in one tenant or across all of them, must not scan.
create index feedback_records_user_idx on feedback_records (user_id, tenant_id) where user_id is not null;
