-- Which of these tables still live on the coordinator alone, and whether anything is in them. By their size: an emptied
-- table that was not vacuumed counts as filled, which errs on the safe side.
select name, pg_relation_size(name::regclass) > 0 as filled
from unnest($1::text[]) with ordinality as wanted (name, position)
where name::regclass not in (select logicalrelid from pg_dist_partition)
order by position
