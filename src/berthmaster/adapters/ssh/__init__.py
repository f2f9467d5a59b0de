"""Other servers, over the system's own ssh: connection, framing, and the far side of it."""
