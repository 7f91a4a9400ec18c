-- For connections whose statements need no planning for their parameters. Citus cannot plan without the parameters.
select set_config(
    'plan_cache_mode',
    case when exists (select from pg_extension where extname = 'citus') then 'force_custom_plan' else 'force_generic_plan' end,
    false
)
