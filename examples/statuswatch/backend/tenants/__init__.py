"""The public schema: who the tenants are and which host belongs to whom."""
