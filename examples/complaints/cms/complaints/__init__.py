"""The life of a complaint: filed, assigned, resolved, reopened. Knows neither reporting nor admin."""
