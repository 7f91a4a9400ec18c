-- A payload of a survey tool is a snapshot of one submission. The latest is kept, so that a definition that arrives later,
-- or changes, can flatten it again.
create table forms (
    tenant_id text not null,
    source text not null,
    form_id text not null,
    name text,
    -- Null until a definition arrives: the row is what a submission locks while it is flattened without one.
    definition jsonb,
    fields integer not null default 0,
    updated_at timestamptz not null,
    constraint forms_pkey primary key (tenant_id, source, form_id)
);

create table submissions (
    tenant_id text not null,
    submission_id text not null,
    source text not null,
    form_id text,
    user_id text,
    status text not null,
    started_at timestamptz,
    completed_at timestamptz,
    duration_seconds double precision,
    -- The order of snapshots, each source in its own way: compared as text, so it is written to sort.
    snapshot_order text not null,
    payload jsonb,
    -- What whoever sent it wanted made of it, so that flattening it again gives the same.
    options jsonb not null default '{}',
    received_at timestamptz not null,
    constraint submissions_pkey primary key (tenant_id, submission_id),
    constraint submissions_status_check check (status in ('started', 'partial', 'completed', 'dismissed'))
);

-- Flattening a form's submissions again, page by page.
create index submissions_form_idx on submissions (tenant_id, source, form_id, submission_id);
-- Erasing a user erases the payloads too.
create index submissions_user_idx on submissions (user_id, tenant_id) where user_id is not null;
