"""The line of a key or of an item in a TOML text, against texts with every kind of string, comment and table."""

from __future__ import annotations

import tomllib

import pytest

from stockml.commands.settings_lines import line_of

TEXT = '''# first
plain = 1

"quoted" = "a # b ] = ["
literal = 'c\\'  # comment with ' and "
long = """
inside = 1
"""" # three quotes and one
raw = \'\'\'
[inside]
\'\'\'
list = [ # the items
  1, "two, and ]", # 2

  [3, 3], { a = 4 },
]
[table]
plain = 5
[table.below]
key.dotted = 6
[[many]]
plain = 7
'''


@pytest.mark.parametrize(
    ("path", "item", "line"),
    [
        (["plain"], None, 2),
        (["quoted"], None, 4),
        (["literal"], None, 5),
        (["long"], None, 6),
        (["raw"], None, 9),
        (["list"], None, 12),
        (["list"], 0, 13),
        (["list"], 1, 13),
        (["list"], 2, 15),
        (["list"], 3, 15),
        (["list"], 4, 12),
        (["table"], None, 17),
        (["table", "plain"], None, 18),
        (["table", "below"], None, 19),
        (["table", "below", "key"], None, 20),
        (["table", "below", "key", "dotted"], None, 20),
        (["many"], None, 21),
        (["gone"], None, 1),
    ],
)
def test_each_key_and_item_has_its_line(path: list[str], item: int | None, line: int) -> None:
    tomllib.loads(TEXT)
    assert line_of(TEXT, path, item) == line
