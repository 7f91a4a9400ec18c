-- What was erased, without saying what it was: payloads that are sent again, read again or flattened again must not bring
-- it back. A keyed hash each: whoever has this table and not SECRET_KEY learns nothing from it, not even by guessing.
create table erasures (
    -- The empty text, which is no tenant's name, stands for all of them.
    tenant_id text not null,
    kind text not null,
    hash bytea not null,
    erased_at timestamptz not null,
    constraint erasures_pkey primary key (tenant_id, hash),
    constraint erasures_kind_check check (kind in ('record', 'submission', 'user'))
);

-- A hash of the secret itself: a hub with another one would look for markers and find none. One row.
create table secret (
    purpose text not null,
    hash bytea not null,
    constraint secret_pkey primary key (purpose)
);

-- How far `hub reflatten` is, one row for each selection that is not finished.
create table reflattenings (
    selection text not null,
    version text not null,
    last_tenant text not null,
    last_submission text not null,
    done bigint not null,
    constraint reflattenings_pkey primary key (selection)
);

-- The list in its order: a submission is as old as its answers, as far as that is known.
create index submissions_time_idx on submissions
    (tenant_id, coalesce(started_at, completed_at, received_at) desc, submission_id);
-- The list of one survey.
create index submissions_form_time_idx on submissions
    (tenant_id, form_id, coalesce(started_at, completed_at, received_at) desc, submission_id);
-- Payloads whose retention ends.
create index submissions_received_idx on submissions (received_at) where payload is not null;
