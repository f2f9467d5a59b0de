"""A complaint management system: one modular monolith, one database and one deployment for each client."""
