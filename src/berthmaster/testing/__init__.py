"""In-memory twins of every port, shipped, held to the real ones by contract tests."""
