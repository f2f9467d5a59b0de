"""What a person types and sees: arguments in, text or JSON out, errors as exit codes.

Decides nothing about deployments; each command calls one use case. Modules of commands are imported
when their command is typed.
"""

import gc

# What imports make stays until the end: looking through it a hundred times finds nothing to free.
gc.set_threshold(50_000)
