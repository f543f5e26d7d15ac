"""Forecast stock prices, keep an honest record of every forecast, learn from the outcomes."""

__version__ = "0.1.0"
