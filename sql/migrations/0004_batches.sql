-- A batch, and what of it could not be stored. Both are kept until their retention ends.
create table batches (
    id uuid not null,
    -- The tenant of the key it came with, if that is bound to one: who may see the batch.
    key_tenant_id text,
    key_id text not null,
    format text not null,
    on_conflict text not null,
    started_at timestamptz not null,
    -- Null while it runs, and for ever when it was broken off.
    finished_at timestamptz,
    undone_at timestamptz,
    received bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    skipped bigint not null default 0,
    duplicate bigint not null default 0,
    rejected bigint not null default 0,
    -- Where its records are: with the time of the batch they are found by the index on the time of arrival.
    tenants text[] not null default '{}',
    constraint batches_pkey primary key (id),
    constraint batches_format_check check (format in ('json', 'ndjson', 'csv')),
    constraint batches_on_conflict_check check (on_conflict in ('error', 'skip', 'update'))
);

create table rejects (
    -- As far as it could be read; otherwise the empty text, which is no tenant's name (Citus knows no null here).
    tenant_id text not null,
    id uuid not null,
    batch_id uuid not null,
    -- The index in a JSON batch, the physical line in a stream.
    position bigint not null,
    user_id text,
    raw text not null,
    status smallint not null,
    -- Not jsonb: it leaves as it came, members in their order.
    problem json not null,
    created_at timestamptz not null,
    constraint rejects_pkey primary key (tenant_id, id)
);

-- The list of a batch, of a tenant, and of everything; the last one also finds what is too old.
create index rejects_batch_idx on rejects (batch_id, created_at, id);
create index rejects_tenant_idx on rejects (tenant_id, created_at, id);
create index rejects_created_idx on rejects (created_at, id);
-- Erasing a user: what is known to be theirs, and what has to be searched because nobody knows whose it is.
create index rejects_user_idx on rejects (user_id, tenant_id) where user_id is not null;
create index rejects_unread_idx on rejects (tenant_id) where user_id is null;

-- Which batch created a record. No index: undo finds the records by tenant and time of arrival.
alter table feedback_records add column batch_id uuid;
