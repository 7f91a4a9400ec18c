-- Which questions were answered on which scales: what to say when there are several.
select key as field_id, scale_min, scale_max
from (/* include analytics/_scored */) as scored
where valid
group by key, scale_min, scale_max
order by key, scale_min, scale_max
limit $35
