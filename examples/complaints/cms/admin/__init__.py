"""People of this client: onboard, change role, close an account."""
