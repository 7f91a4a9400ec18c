-- Where a chunk lands by COPY, which is faster than any insert; emptied by every commit. Made once a connection.
create temporary table if not exists staged on commit delete rows as
select 0 as ordinal, /* include records/_columns */ from feedback_records with no data
