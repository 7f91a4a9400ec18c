-- Some of the records that were changed or deleted, locked: a statement of its own, so that the next one sees what they are now.
select submission_id, field_id from search_texts
where tenant_id = $1 and words is null
order by submission_id, field_id
limit $2
for update
