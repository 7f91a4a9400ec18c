-- Why items of a tenant were rejected, most frequent first: the first fault of each, or what its problem says.
select
    concat_ws(' ', problem->'invalid_params'->0->>'name', coalesce(problem->'invalid_params'->0->>'reason', problem->>'detail')) as reason,
    count(*) as count
from rejects
where tenant_id = $1
group by 1
order by 2 desc, 1
limit $2
