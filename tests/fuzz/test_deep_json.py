"""JSON nested 100,000 deep in each file that holds JSON, behind a right checksum where there is one."""

from __future__ import annotations

from contextlib import suppress

import pytest
from fuzzing import folder
from guard import within
from mutations import DEPTH
from readers import TARGETS

from stockml.storage.files import sealed

SEALED = ("journal", "restore_plan")
NO_JSON = ("csv_table", "rows", "archive", "bundle")

pytestmark = pytest.mark.usefixtures("in_haste")


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - NO_JSON))
def test_no_depth_ends_in_a_traceback(name: str) -> None:
    with folder() as home:
        target = TARGETS[name](home)
        for text in ("[" * DEPTH + "]" * DEPTH, '{"a": ' * DEPTH + "1" + "}" * DEPTH, "[" * DEPTH):
            content = text.encode() + b"\n"
            with suppress(*target.refusals), within(home):
                target.read(sealed(content) if name in SEALED else content)
