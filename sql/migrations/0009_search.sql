-- What search reads: the words of text answers, beside the records and not in them, so that storing a record costs what it did.
-- Not logged: everything here is made of the records, and made again when a crash or a failover has emptied it. Only of tenants
-- that search; the first search begins it.
create unlogged table search_tenants (
    tenant_id text not null,
    since timestamptz not null,
    -- Every record that arrived before this place, in the order of arrival, has been looked at.
    created_at timestamptz not null default '-infinity',
    id uuid not null default 'ffffffff-ffff-ffff-ffff-ffffffffffff',
    -- The text search configurations of the tenant's languages.
    configurations text[] not null default '{}',
    constraint search_tenants_pkey primary key (tenant_id)
);

create unlogged table search_texts (
    tenant_id text not null,
    submission_id text not null,
    field_id text not null,
    id uuid,
    collected_at timestamptz,
    -- Null: the record was changed or deleted, and is to be looked at again.
    words tsvector,
    constraint search_texts_pkey primary key (tenant_id, submission_id, field_id)
);

-- The latest texts, to look for a frequent word there.
create index search_texts_collected_idx on search_texts (tenant_id, collected_at desc, id) where words is not null;
-- The texts with a rare word. Tenant and language are among the words, so that a tenant reads its own only.
create index search_texts_words_idx on search_texts using gin (words);
create index search_texts_changed_idx on search_texts (tenant_id, submission_id, field_id) where words is null;
