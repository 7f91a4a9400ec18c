-- When the first and the last of the selected records were collected: which buckets there are when the period is open.
select min(collected_at) as first, max(collected_at) as last from feedback_records
where /* include records/_filter */
