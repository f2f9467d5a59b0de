"""StatusWatch: settings, URLs and what every part of the project shares."""
