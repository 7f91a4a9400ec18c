-- The statements that make a role which can read the views and nothing else, as text: names of roles cannot be parameters of them.
-- The password is a verifier, so that no log has it. Views of later versions are read as well.
select format($statements$
    create role %1$I login password %2$L connection limit 20;
    alter role %1$I set default_transaction_read_only = on;
    alter role %1$I set statement_timeout = '60s';
    alter role %1$I set search_path = analytics;
    grant connect on database %3$I to %1$I;
    grant usage on schema analytics to %1$I;
    grant select on all tables in schema analytics to %1$I;
    alter default privileges in schema analytics grant select on tables to %1$I;
$statements$, $1::text, $2::text, current_database())
