"""Token login inside a tenant."""
