"""`tagsight bench search`: real pictures, lists of candidates, baselines, a matcher that is not shipped."""
