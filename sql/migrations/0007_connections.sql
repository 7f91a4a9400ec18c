-- Accounts at survey tools that feed the hub by themselves, each on behalf of one tenant.
create table connections (
    id uuid not null,
    source text not null,
    tenant_id text not null,
    name text not null,
    -- Null: where the vendor itself runs the tool.
    base_url text,
    -- Encrypted with SECRET_KEY: keys of the vendor's API, secrets of its signatures, the token of our address.
    credentials text not null,
    -- Keyed hashes, by which a delivery is recognized without decrypting anything: of the token in the address,
    token_hash bytea not null,
    -- and of the key that servers send with the responses they insert.
    insert_key_hash bytea,
    -- The surveys that were chosen; none is all.
    forms text[] not null default '{}',
    -- What is wanted made of its payloads (hub.sources.interface.Options).
    options jsonb not null default '{}',
    status text not null default 'active',
    -- Null: nothing is pulled by the clock.
    pull_minutes integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    last_success_at timestamptz,
    last_error_at timestamptz,
    -- In our words, never the vendor's: those may quote an answer.
    last_error text,
    -- What came, and what became of it: submissions stored, payloads in the dead letter, deliveries that had come before.
    received bigint not null default 0,
    stored bigint not null default 0,
    failed bigint not null default 0,
    duplicates bigint not null default 0,
    constraint connections_pkey primary key (id),
    -- It says by itself which connection a response is for, so it cannot stand for two.
    constraint connections_insert_key_key unique (source, insert_key_hash),
    constraint connections_status_check check (status in ('active', 'paused', 'revoked')),
    constraint connections_pull_minutes_check check (pull_minutes > 0)
);

-- What vendors delivered lately, by a hash: they send again what was answered late.
create table deliveries (
    tenant_id text not null,
    connection_id uuid not null,
    hash bytea not null,
    received_at timestamptz not null,
    constraint deliveries_pkey primary key (tenant_id, connection_id, hash)
);

create index deliveries_received_idx on deliveries (received_at);

-- A payload that no source could read waits with the items that no batch could store. It has a connection and no batch.
alter table rejects alter column batch_id drop not null;
alter table rejects add column connection_id uuid;
create index rejects_connection_idx on rejects (connection_id, created_at, id) where connection_id is not null;
