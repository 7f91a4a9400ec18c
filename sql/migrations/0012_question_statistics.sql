-- A question has one type and one tenant. Taken for independent, a million answers look like some ten thousand, and no plan thinks
-- of counting them in parallel.
create statistics feedback_records_question_stats (dependencies) on tenant_id, field_id, field_type from feedback_records;
