"""Use cases about the copy of an environment: made, compared, shipped from, ended."""
