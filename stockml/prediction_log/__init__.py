"""Prediction log: one JSONL line per prediction, appended once and completed once."""
