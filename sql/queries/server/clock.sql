-- What time the database has it: records are stamped by both clocks, so a skew shows in every report.
select clock_timestamp()
