-- What is looked for, in each language of the tenant: quotes, `or` and `-` mean what they do in search engines. Tenant and
-- language are part of it, so that the index reads nobody else's texts. Null when it has only words that are in every text.
select string_agg('(' || (tenant && language && wanted)::text || ')', ' | ')
from search_tenants, unnest(configurations) as configuration
cross join lateral (
    select array_to_tsvector(array[E'\x01' || $1])::text::tsquery as tenant,
        array_to_tsvector(array[E'\x02' || configuration])::text::tsquery as language,
        websearch_to_tsquery(configuration::regconfig, $2) as wanted
) as parts
where tenant_id = $1 and numnode(wanted) > 0
