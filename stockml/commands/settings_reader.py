"""A home's settings from its file stockml.toml, and before it from the environment.

Standard library only, and little of it: where neither says anything, a run must not wait for what reads them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from stockml.commands.settings import KEYS, ONE_OF_BOTH, Settings, variable
from stockml.core.paths import Home


def read_settings(home: Home, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a home; UsageError, with the line or the variable, where one cannot be followed."""
    said = {key: text for key in KEYS if (text := environment.get(variable(key), "")).strip()}
    if not said and not os.path.lexists(home.settings):
        return Settings()
    from stockml.commands.settings_checks import of_environment, of_file

    found, places = of_file(home.settings)
    answered = of_environment(said)
    if any(key in answered for key in ONE_OF_BOTH):
        found = {key: value for key, value in found.items() if key not in ONE_OF_BOTH}
    values = found | answered
    named = [variable(key) if key in answered else places[key] for key in ONE_OF_BOTH if key in values]
    return Settings(**values, symbols_from=named[0] if named else "")
