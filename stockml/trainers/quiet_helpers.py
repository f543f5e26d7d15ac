"""The first module that the process loads from which helpers are forked: none of what libraries warn of is printed.

It is imported for that alone, and by no other process.
"""

from __future__ import annotations

from stockml.core import library_warnings
from stockml.trainers.helper_process import warned

library_warnings.take(warned.append)
