-- For a transaction that is as long as it has to be: the limit is for requests.
select set_config('statement_timeout', '0', true)
