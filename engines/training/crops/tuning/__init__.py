"""Going on with a trained re-identification net: drawn people say who is who, real crops what stays."""
