"""What a person types and sees: arguments in, text or JSON out, errors as exit codes.

Decides nothing about deployments; each command calls one use case. Modules of commands are imported
when their command is typed.
"""
