"""Values that every room speaks of: predictions, calendars, paths, progress and failures."""
