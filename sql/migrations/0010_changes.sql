-- What a copy of the records has to be told of and cannot see in them: that some are gone, and that others came with the times of
-- another hub. Ids and times alone, for whoever was erased is not to be found here.
create table changes (
    tenant_id text not null,
    -- When the transaction began that did it, as in created_at and updated_at.
    changed_at timestamptz not null,
    -- Of a purge, which is of a whole tenant, the id of zeros: in the order of the feed it comes after all that it took.
    record_id uuid not null,
    kind text not null,
    constraint changes_kind_check check (kind in ('stored', 'deleted', 'purged'))
);

-- The feed of a tenant, in its order. No transaction says the same of a record twice.
create unique index changes_feed_key on changes (tenant_id, changed_at, record_id desc, kind);
-- What is too old to be kept.
create index changes_changed_idx on changes (changed_at);

-- Changed records in the order of the feed. A new record is not in it, so that an insert costs nothing more.
create index feedback_records_updated_idx on feedback_records (tenant_id, updated_at desc, id) where updated_at > created_at;
