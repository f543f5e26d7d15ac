"""The log and the state in words: HTML report, status, explanation."""
