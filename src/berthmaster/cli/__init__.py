"""The command line: one file for each noun, nothing but arguments, printing and exit codes."""
