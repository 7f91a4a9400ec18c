-- How many records the filter selects.
select count(*) from feedback_records
where /* include records/_filter */
