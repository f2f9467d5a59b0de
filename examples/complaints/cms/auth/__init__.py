"""Who somebody is. Other modules may use `guard` and `accounts`, nothing else (import-linter holds it)."""
