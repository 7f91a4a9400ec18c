-- The statements that undo `create_reader`, as text.
select format($statements$
    alter default privileges in schema analytics revoke select on tables from %1$I;
    revoke select on all tables in schema analytics from %1$I;
    revoke usage on schema analytics from %1$I;
    revoke connect on database %2$I from %1$I;
    drop role %1$I;
$statements$, $1::text, current_database())
