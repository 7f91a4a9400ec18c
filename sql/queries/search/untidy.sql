-- Whose records were changed or deleted since somebody searched.
select distinct tenant_id from search_texts where words is null
