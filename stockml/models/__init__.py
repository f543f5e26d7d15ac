"""A stock's fitted models as a value: load, check, forecast."""
