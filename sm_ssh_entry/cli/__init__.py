"""The command line: one small file for each group of commands. Parse, call one path, map errors to exit codes."""
