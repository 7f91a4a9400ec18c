-- Bearer keys beside API_KEY. Only the hash is kept: a copy of this table opens nothing.
create table api_keys (
    id uuid not null,
    name text not null,
    prefix text not null,
    hash bytea not null,
    scopes text[] not null,
    tenant_id text,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    constraint api_keys_pkey primary key (id),
    constraint api_keys_hash_key unique (hash),
    constraint api_keys_scopes_check check (cardinality(scopes) > 0 and scopes <@ array['read', 'write', 'admin'])
);
