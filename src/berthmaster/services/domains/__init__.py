"""`berth domain` and `berth cert`: names of tenants, their policy, and what is routed by them."""
