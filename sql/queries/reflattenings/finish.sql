-- A run that is finished leaves nothing to go on from.
delete from reflattenings where selection = $1
