-- A submission that turned out to be erased, or of an erased user, or was deleted by its vendor.
delete from submissions where tenant_id = $1 and submission_id = $2
