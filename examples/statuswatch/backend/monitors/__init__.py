"""Endpoints of a tenant and their checks."""
