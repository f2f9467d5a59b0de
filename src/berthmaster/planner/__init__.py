"""Pure decisions: (desired, observed, policy) -> Plan. No I/O, no clock, no randomness."""
