"""One folder for each outside system; the only place that knows its API and its errors."""
