#!/usr/bin/env python3
"""Check the seals of a prediction log without the program that wrote it: Python alone, nothing to install.

    python3 audit_log.py predictions.jsonl [FILE]

Each line's seal is the SHA-256 of the seal before it and of the prediction's fields as canonical JSON. FILE holds heads
of the chain as the program wrote them, one JSON object a line: seals.jsonl beside the log unless named, or a copy that
was kept elsewhere. Exit code 0: the chain is whole and holds every head. 1: it is not. 2: there is nothing to check.
"""

import hashlib
import json
import sys
from pathlib import Path

UNSEALED = {  # all that is written after the prediction was made, and the seal itself; every other field is sealed
    *("status", "actual_price", "error_pct", "was_accurate", "verified_at", "reason", "expired_at"),
    *("naive_error_pct", "units_factor", "current_price_corrected", "settled_from", "settled_at"),
    *("reopened", "outcome_checksum", "seal", "sealed_after"),
}
FIRST = "0" * 64  # the seal before the first


def canonical(record):
    """Names sorted, no blanks, UTF-8, each number as Python writes a float: 5 is 5.0."""
    fields = {key: value for key, value in record.items() if key not in UNSEALED}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def seal_after(previous, record):
    return hashlib.sha256((previous + canonical(record)).encode("utf-8", "replace")).hexdigest()


def read(path):
    """Number and object of each line that is not blank; None for what is no object."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if raw.strip():
                try:
                    record = json.loads(raw.decode("utf-8-sig"), parse_int=float)
                except (ValueError, RecursionError):
                    record = None
                yield number, record if isinstance(record, dict) else None


def in_order(path):
    """The lines in the order of the chain, and whether each has a place in it.

    A line without room for its outcome moved to the end, and names the seal that it follows ("" without one).
    """
    moved, loose = {}, []
    for number, record in read(path):
        if record and "sealed_after" in record:
            after = record["sealed_after"]
            if after == "" and "seal" not in record:
                yield number, record, True
            elif not isinstance(after, str) or moved.setdefault(after, (number, record))[0] != number:
                loose.append((number, record))

    def following(seal):
        while isinstance(seal, str) and seal in moved:
            number, record = moved.pop(seal)
            yield number, record, True
            seal = record.get("seal")

    for number, record in read(path):
        if record and "sealed_after" in record:
            continue
        seal = record.get("seal") if record else None
        yield from following(FIRST if seal else None)
        yield number, record, True
        yield from following(seal)
    yield from following(FIRST)
    for number, record in sorted([*moved.values(), *loose], key=lambda pair: pair[0]):
        yield number, record, False


def check(path):
    """The number of lines, of those above the chain, the places where it breaks, and how many lines end in a seal."""
    lines, unsealed, breaks, places, expected = 0, 0, [], {}, [FIRST]
    for number, record, has_place in in_order(path):
        lines += 1
        seal = record.get("seal") if record else None
        seal = seal if isinstance(seal, str) else None
        if record and not seal and not places:
            unsealed += 1
            continue
        right = [seal_after(previous, record) for previous in expected] if record else []
        if not has_place or seal not in right:
            breaks.append(f"line {number} ({record.get('id')!a})" if record else f"line {number} (no JSON)")
        if has_place:
            expected = [seal] if seal in right else [seal, *right] if seal else [*expected, *right]
        if seal:
            places.setdefault(seal, lines)
    return lines, unsealed, breaks, places


def main(log, heads):
    if not log.is_file():
        return print(f"{log}: there is no such file") or 2
    lines, unsealed, breaks, places = check(log)
    if not places:
        return print(f"{log}: {lines} lines, none with a seal: nothing can be checked") or 2
    print(f"{log}: {lines} lines, {unsealed} of them before the chain; last seal {list(places)[-1][:16]}")
    wrong = [f"the chain breaks at {place}" for place in breaks]
    for number, head in read(heads) if heads.is_file() else ():
        told = head or {}
        place = places.get(str(told.get("seal")))
        if place is None or place != told.get("count"):
            found = "not in the log" if place is None else f"behind {place} lines"
            wrong.append(f"head {number} of {heads} ({told.get('at')!a}) is {found}")
    print("\n".join(wrong) if wrong else "The chain is whole, and holds every head.")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(print(__doc__) or 2)
    path = Path(sys.argv[1])
    sys.exit(main(path, Path(sys.argv[2]) if len(sys.argv) == 3 else path.with_name("seals.jsonl")))
