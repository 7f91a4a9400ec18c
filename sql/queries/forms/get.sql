-- The definition of a form, if one has come.
select definition from forms where tenant_id = $1 and source = $2 and form_id = $3
