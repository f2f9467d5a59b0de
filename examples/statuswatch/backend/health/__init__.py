"""What a probe asks: alive, ready, which release."""
