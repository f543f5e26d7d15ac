"""Mutations of real files: values of their JSON replaced, keys lost, bytes flipped, cut or put in, numbers grown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from stockml.storage.files import sealed

DEEP = "@deep@"  # stands for lists within lists, which no encoder would write
DEPTH = 100_000

HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 7, 2**31, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e-320, 1e300, 1e308, -1e308),
    *(math.nan, math.inf, -math.inf, "", "x", "5", "../../x", "../../../etc/passwd", "/etc/passwd", "a\0b", "\ud800"),
    *(
        "\u2028",
        "<script>",
        "a" * 5000,
        "0001-01-01",
        "9999-12-31",
        "2026-02-30",
        "2026-02-01T25:00:00",
        "weekdays@/etc",
    ),
    *([], {}, [[]], [1] * 300, {"": None}, {"__proto__": {}}, DEEP),
)

Draw = st.DrawFn


@dataclass(frozen=True, slots=True, repr=False)
class Recipe:
    """A large content by its differences from a whole one: hypothesis keeps what it has drawn."""

    whole: bytes
    head: bytes = b""
    head_end: int = 0
    patches: tuple[tuple[int, bytes], ...] = ()
    cut: int = 0

    def __repr__(self) -> str:
        return f"Recipe({self.head[:4000]!r}, {self.head_end}, {self.patches}, {self.cut})"

    def made(self) -> bytes:
        """The content."""
        found = bytearray(self.head + self.whole[self.head_end : len(self.whole) - self.cut])
        for at, new in self.patches:
            found[at : at + len(new)] = new
        return bytes(found)


class Content(bytes):
    """A file's content that is shown cut: of two megabytes hypothesis would make eight."""

    def __repr__(self) -> str:
        return f"{bytes(self[:4000])!r}, of {len(self):,} bytes"


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a JSON value with each of its keys or numbers."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in inner] + [place for _, one in inner for place in places(one)]


def replaced(draw: Draw, holder: Any, key: Any) -> None:
    holder[key] = deepcopy(draw(st.sampled_from(HOSTILE)))


def lost(draw: Draw, holder: Any, key: Any) -> None:
    del holder[key]


def renamed(draw: Draw, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(holder, dict):
        del holder[key]
        holder[draw(st.sampled_from(["x", "", key + "x", "../../x", "\ud800", "1" * 400, "-1", "\0"]))] = value
    else:
        holder.insert(key, deepcopy(value))


def scaled(draw: Draw, holder: Any, key: Any) -> None:
    value = holder[key]
    if isinstance(value, int | float):
        holder[key] = value * draw(st.sampled_from([-1, 0, 2, 1e3, 1e9, 1e18, 1e300])) if abs(value) < 1e300 else 0
    elif isinstance(value, list):
        holder[key] = value * 2 if draw(st.booleans()) else value[:-1]
    else:
        replaced(draw, holder, key)


def swapped(draw: Draw, holder: Any, key: Any) -> None:
    other = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
    holder[key], holder[other] = holder[other], holder[key]


EDITS: tuple[Callable[[Draw, Any, Any], None], ...] = (replaced, replaced, scaled, lost, renamed, swapped)


@st.composite
def other_json(draw: Draw, value: Any) -> bytes:
    """The text of a JSON value after one to three edits at places drawn from all depths alike."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        found = places(value)
        if not found:
            break
        chosen = draw(st.integers(0, len(found) - 1))
        edit = draw(st.sampled_from(EDITS))
        edit(draw, *found[chosen])
    if draw(st.integers(0, 19)) == 0:
        value = draw(st.sampled_from([[], {}, None, 5, "text", DEEP, [value], {"x": value}]))
    text = json.dumps(value)
    return text.replace(f'"{DEEP}"', "[" * DEPTH + "]" * DEPTH).encode()


@st.composite
def other_bytes(draw: Draw, content: bytes) -> bytes:
    """A file's content after one to three changes of its bytes."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        length = draw(st.sampled_from([1, 1, 2, 8, 100]))
        match draw(st.sampled_from(["flip", "cut", "insert", "lose", "repeat", "blank", "digits", "number"])):
            case "flip" if found:
                found[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del found[at:]
            case "insert":
                found[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "lose":
                del found[at : at + length]
            case "repeat":
                found[at:at] = found[at : at + length]
            case "blank":
                found[at : at + length] = bytes(len(found[at : at + length]))
            case "digits":
                found[at:at] = b"9" * draw(st.sampled_from([1, 20, 400, 5000]))
            case _:
                token = draw(st.sampled_from([b"-1", b"1e308", b"NaN", b"null", b"[", b"{", b"\xff\xfe", b"\n", b'"']))
                found[at : at + length] = token
    return bytes(found)


@st.composite
def other_file(draw: Draw, content: bytes) -> bytes:
    """A JSON file after edits of its values or, one time in four, of its bytes."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):  # changed before
        return draw(other_bytes(content))
    return draw(other_bytes(content) if draw(st.integers(0, 3)) == 0 else other_json(value))


@st.composite
def other_sealed(draw: Draw, content: bytes) -> bytes:
    """A file behind a checksum after edits, nearly always behind a right one again."""
    if draw(st.integers(0, 19)) == 0:
        return draw(other_bytes(content))
    return sealed(draw(other_file(content.partition(b"\n")[2])))


@st.composite
def other_lines(draw: Draw, content: bytes, edit: Callable[[bytes], st.SearchStrategy[bytes]]) -> bytes:
    """A file of lines with one or two of them edited, lost, doubled or swapped; or its bytes, one time in eight."""
    if draw(st.integers(0, 7)) == 0:
        return draw(other_bytes(content))
    lines = content.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["edit", "edit", "edit", "lose", "double", "swap"])):
            case "edit":
                lines[at] = draw(edit(lines[at].rstrip(b"\n"))) + b"\n"
            case "lose" if len(lines) > 1:
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case _:
                lines[at], lines[0] = lines[0], lines[at]
    return b"".join(lines)


CELLS = (
    *(
        "",
        "0",
        "-5",
        "1e308",
        "-1e308",
        "nan",
        "inf",
        "1,234.5",
        "1.234,5",
        "9" * 400,
        "x",
        '"',
        "2026-02-30",
        "0001-01-01",
    ),
    *(
        "9999-12-31",
        "31/12/2026",
        "12/31/2026",
        "2026-01-01T00:00:00+05:30",
        "1767225600",
        "₹100",
        "5%",
        "\u2212 5",
        "\0",
        "N/A",
    ),
)


@st.composite
def other_table(draw: Draw, content: bytes) -> bytes:
    """A CSV file with cells replaced or scaled, columns lost, or its separators changed; or its bytes."""
    if draw(st.integers(0, 4)) == 0:
        return draw(other_bytes(content))
    rows = [line.split(",") for line in content.decode().splitlines()]
    for _ in range(draw(st.integers(1, 4))):
        row = rows[draw(st.integers(0, len(rows) - 1))]
        at = draw(st.integers(0, max(0, len(row) - 1)))
        match draw(st.sampled_from(["cell", "cell", "column", "shift", "double", "scale"])):
            case "cell" if row:
                row[at] = draw(st.sampled_from(CELLS))
            case "column":
                value = draw(st.sampled_from(CELLS))
                for other in rows[1:]:
                    other[at : at + 1] = [value]
            case "shift":
                del row[at : at + 1]
            case "double":
                rows.insert(at, list(row))
            case _:
                row[at : at + 1] = [f"{cell}e{draw(st.integers(0, 300))}" for cell in row[at : at + 1]]
    separator = draw(st.sampled_from([",", ",", ",", ";", "\t", "|"]))
    return "\n".join(separator.join(row) for row in rows).encode("utf-8", "surrogatepass")
