"""What every module stands on: settings, the database, the schema, roles. Knows no module."""
