-- Connections that were deleted are not pulled any more.
delete from pulls where not exists (select from connections where connections.id = pulls.connection_id)
