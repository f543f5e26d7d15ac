"""Indicators: a price table in, one row of numbers per day out; no row sees a later one."""
