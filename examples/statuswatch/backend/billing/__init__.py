"""Paying with Stripe: what an organization has bought decides its plan. Stripe's word is final, ours is a copy."""
