"""The turn of a year whose holidays are not published yet, lived through evening by evening in whole processes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pandas as pd
from made_up_bars import market
from scripts import log_of, predict
from tools import needs

FIRST, LAST, THROUGH = date(2026, 12, 21), date(2027, 2, 5), date(2027, 2, 19)
# Mumbai rests on Christmas and Republic Day, which are known, and on days that no calendar has yet
HOLIDAYS = {date(2026, 12, 25), date(2027, 1, 14), date(2027, 1, 26), date(2027, 2, 3)}
HORIZON = 5


def sessions() -> list[date]:
    days = pd.bdate_range("2025-06-02", THROUGH)
    return [day.date() for day in days if day.date() not in HOLIDAYS]


def renew(folder: Path, today: date) -> None:
    """Both stocks' files as they are that evening."""
    days = sessions()
    for seed, symbol in enumerate(("ONE.NS", "TWO.NS"), start=1):
        bars = market(len(days), seed).set_index(pd.DatetimeIndex(days, name="Date")).round(2)
        bars[bars.index <= pd.Timestamp(today)].to_csv(folder / f"{symbol}.csv")


@needs("faketime")
def test_the_horizon_in_sessions_binds_whatever_the_calendar_thought(tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    told = []
    for day in pd.bdate_range(FIRST, THROUGH):
        renew(folder, day.date())
        done = predict(
            *("--source", f"csv:{folder}", "--home", tmp_path, "--symbols", "ONE.NS", "TWO.NS"),
            *(() if day.date() <= LAST else ("--verify",)),
            at=datetime.combine(day.date(), time(12), UTC),
        )
        assert done.code == 0, done.err
        told.append(done.err)
    came = sessions()
    lines = log_of(tmp_path)
    assert len(lines) == 2 * sum(FIRST <= day <= LAST for day in came)
    for line in lines:
        made_from = date.fromisoformat(line["data_through"])
        target = came[came.index(made_from) + HORIZON]
        assert (line["status"], line["settled_from"]) == ("verified", target.isoformat()), line["id"]
    moved = [line for line in lines if line["settled_from"] != line["target_date"]]
    assert {line["target_date"] < line["settled_from"] for line in moved} == {True}
    assert not {line["target_date"] for line in lines} & {"2026-12-25", "2027-01-26"}
    assert any("the holidays of 2027 are not known yet" in text for text in told)
    on_holiday = told[[day.date() for day in pd.bdate_range(FIRST, THROUGH)].index(date(2027, 1, 14))]
    assert "that of 2027-01-14 is missing, unless it was a holiday" in on_holiday
    assert not any("2027-01-26 is missing" in text for text in told)
