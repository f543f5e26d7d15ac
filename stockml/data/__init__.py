"""Data fetch: symbols in, checked price tables out."""
