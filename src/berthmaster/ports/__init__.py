"""What is needed from outside, as Protocols; no implementation and no import of one."""
