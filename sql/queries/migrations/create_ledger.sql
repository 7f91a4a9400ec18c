-- What was applied, with a hash, so that an edited file is noticed.
create table if not exists schema_migrations (
    version integer not null,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now(),
    constraint schema_migrations_pkey primary key (version)
)
