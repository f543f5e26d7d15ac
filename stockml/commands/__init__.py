"""Commands: each one's options, output and exit codes."""
