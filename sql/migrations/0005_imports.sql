-- How far the move of another hub's tenant has come; written in the transaction of the records, so that it can go on anywhere.
create table imports (
    -- Made from the other hub's address. It is the batch_id of the records that came from there, too.
    id uuid not null,
    tenant_id text not null,
    state jsonb not null,
    updated_at timestamptz not null,
    constraint imports_pkey primary key (id, tenant_id)
);
