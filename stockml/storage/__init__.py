"""Bytes on disk that survive a crash; knows nothing of stocks."""
