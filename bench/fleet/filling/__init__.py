"""Missing hours filled by a join in Spark: `command` measures, `job` is what Spark runs."""
