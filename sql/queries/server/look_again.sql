-- Within a transaction, what others are doing is as it was when it was first asked for.
select pg_stat_clear_snapshot()
