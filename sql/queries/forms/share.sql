-- The definition a submission is flattened with, held until that is stored: a definition that arrives at this moment waits,
-- and then finds the submission among those to flatten again.
select definition from forms where tenant_id = $1 and source = $2 and form_id = $3 for share
