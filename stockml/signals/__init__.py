"""Signal engine: indicators and forecasts in, a weighted prediction with its confidence out; learns the weights."""
