"""Walk-forward backtest over past sessions, and the look-ahead bias check."""
