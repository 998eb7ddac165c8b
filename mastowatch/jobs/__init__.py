"""Plain functions that fetch, decide, act and record, and the names that users of the job guide know."""
