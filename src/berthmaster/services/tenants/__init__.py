"""Use cases about customers with a stack of their own: from their first day to their last."""
