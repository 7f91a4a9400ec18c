-- What the planner should know at once after a large load, and would learn within a minute.
analyze feedback_records, submissions
