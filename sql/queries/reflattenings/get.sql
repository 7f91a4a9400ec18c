-- Where a run over this selection stopped. One of another version of the hub begins anew: its flatteners may differ.
select last_tenant, last_submission, done from reflattenings where selection = $1 and version = $2
