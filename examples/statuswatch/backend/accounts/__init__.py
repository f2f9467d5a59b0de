"""People of a tenant: sign-up, login over all tenants, sessions, API tokens, verified addresses."""
