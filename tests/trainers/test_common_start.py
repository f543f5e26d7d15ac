"""A training goes on from an earlier common network only where that has seen none of the days it is judged by."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import made_up_prices

from stockml.core.paths import Home
from stockml.models.lstm import INPUTS, Network
from stockml.storage.files import sealed, unsealed
from stockml.trainers.common_start import MOST_KEPT, CommonStart, NoStarts, Origin, StartsAtHand, kind_of
from stockml.trainers.dataset import prepare
from stockml.trainers.engine_choice import EngineChoice
from stockml.trainers.global_model import GlobalModelSettings, Learning, SplitDates, global_model_steps
from stockml.trainers.groups import divide, groups_of
from stockml.trainers.lstm_trainer import fresh_network
from stockml.trainers.start_store import KeptStarts, from_bytes, read_start, starts_of, to_bytes, write_start
from stockml.trainers.steps import call
from stockml.trainers.training_settings import TrainingContext, TrainingSettings

KIND = "0123456789abcdef"
STOCKS = ("AAA.NS", "BBB.NS", "CCC.NS", "DDD.NS")


def origin(day: str = "2026-01-15", symbols: tuple[str, ...] = STOCKS, kind: str = KIND) -> Origin:
    return Origin(kind, np.datetime64(day), symbols)


def start(day: str = "2026-01-15", symbols: tuple[str, ...] = STOCKS, seed: int = 1, kind: str = KIND) -> CommonStart:
    return CommonStart(origin(day, symbols, kind), fresh_network(len(INPUTS), 5, seed))


# ---- when ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "may"),
    [
        (origin("2026-01-01"), True),  # a fortnight before
        (origin("2026-01-02"), False),
        (origin("2026-01-15"), False),  # its own days: a training that is repeated
        (origin("2026-02-01"), False),  # saw days by which this one is judged
        (origin("2025-10-07"), True),
        (origin("2025-10-06"), False),  # 101 days before
        (origin("2026-01-01", kind="f" * 16), False),
        (origin("2026-01-01", STOCKS[:2]), True),
        (origin("2026-01-01", STOCKS[:1]), False),
        (origin("2026-01-01", (*STOCKS, "EEE.NS", "FFF.NS")), True),
    ],
)
def test_a_training_goes_on_from_an_earlier_one_of_its_kind_and_stocks(earlier: Origin, may: bool) -> None:
    assert origin("2026-01-15").may_go_on_from(earlier) is may


@pytest.mark.parametrize(
    ("own", "may"),
    [
        (origin("2026-02-15"), True),
        (origin("2026-01-15"), True),  # repeated: the same again
        (origin("2026-01-16"), False),  # the next day's training
        (origin("2026-02-15", STOCKS[:1]), False),  # a single stock
        (origin("2026-02-15", STOCKS[:2]), True),
        (origin("2026-02-15", ("XXX.NS", "YYY.NS")), False),
        (origin("2026-06-15", STOCKS[:1]), True),  # the other one is too old to be gone on from
        (origin("2026-02-15", STOCKS[:1], kind="f" * 16), True),
        (origin("2025-06-15"), True),  # as of a past day
    ],
)
def test_a_single_stock_takes_the_place_of_no_common_network(own: Origin, may: bool) -> None:
    chain = StartsAtHand([start("2026-01-15")])
    assert chain.leave(CommonStart(own, start().network)) is may


def test_the_newest_few_are_kept_and_the_newest_that_is_old_enough_is_found() -> None:
    days = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]
    chain = StartsAtHand([start(day, seed=number) for number, day in enumerate(days)])
    assert chain.find(origin("2026-02-10")) is None  # the first is gone, the others are too new
    for own, found in (("2026-03-01", "2026-02-01"), ("2026-04-14", "2026-03-01"), ("2026-04-15", "2026-04-01")):
        known = chain.find(origin(own))
        assert known is not None and str(known.origin.fitted_before) == found
    assert MOST_KEPT == 3


@pytest.mark.parametrize(
    "other",
    [{"settings": {"seed": 2}}, {"calendars": ["XNYS"]}, {"calendars": ["XBOM", "XNYS"]}],
)
def test_other_settings_or_exchanges_are_another_kind(other: dict[str, object]) -> None:
    usual: dict[str, object] = {"settings": {"seed": 1}, "calendars": ["XBOM", "XBOM"]}
    assert kind_of(**usual) == kind_of(**usual | {"calendars": ["XBOM"]})  # type: ignore[arg-type]
    assert kind_of(**usual | other) != kind_of(**usual)  # type: ignore[arg-type]


def test_the_engine_and_the_processes_are_of_no_account() -> None:
    settings = TrainingSettings(jobs=1)
    other = replace(settings, jobs=7, engine=EngineChoice("tensorflow"))
    assert settings.kind(["XBOM"]) == other.kind(["XBOM"]) != replace(settings, horizon=6).kind(["XBOM"])


# ---- on disk ---------------------------------------------------------------------------------------------------------


def test_a_network_comes_back_as_it_was(tmp_path: Path) -> None:
    kept, made = KeptStarts(Home(tmp_path)), start()
    kept.leave(made)
    (path,) = Home(tmp_path).common_models.iterdir()
    assert path.name == f"2026-01-15-{KIND}.bin"
    back = read_start(path)
    assert back is not None and (back.origin, back.checksum) == (made.origin, made.checksum)
    assert to_bytes(back) == path.read_bytes()
    found = kept.find(origin("2026-02-15"))
    assert found is not None and found.checksum == made.checksum
    assert KeptStarts(Home(tmp_path), begins_fresh=True).find(origin("2026-02-15")) is None
    assert kept.problems == []


def test_no_more_files_are_kept_than_are_needed(tmp_path: Path) -> None:
    kept = KeptStarts(Home(tmp_path))
    for day in ("2025-10-01", "2025-11-01", "2025-11-05", "2025-12-01", "2026-01-01"):
        kept.leave(start(day))
    kept.leave(start("2026-01-01", kind="f" * 16))
    kept.leave(start("2026-02-01", STOCKS[:1]))
    days = sorted(path.name.removesuffix(f"-{KIND}.bin") for path in Home(tmp_path).common_models.glob(f"*{KIND}*"))
    assert days == ["2025-11-01", "2025-12-01", "2026-01-01"]
    assert [str(known.origin.fitted_before) for known in starts_of(Home(tmp_path))] == [*days, "2026-01-01"]


def _body(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """A change of what is sealed, its checksum made right again."""
    return lambda path: path.write_bytes(sealed(change(unsealed(path.read_bytes()) or b"")))


def _renamed(path: Path) -> None:
    path.rename(path.with_name(f"2026-01-16-{KIND}.bin"))


def _in_its_place(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda path: os.truncate(path, 1000), "is damaged"),
    "empty": (lambda path: os.truncate(path, 0), "is damaged"),
    "one bit": (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x01"), "is damaged"),
    "fewer weights": (_body(lambda body: body[:-4]), "other weights than its first line says"),
    "a weight that is none": (_body(lambda body: body[:-4] + b"\x00\x00\xc0\x7f"), "nan"),
    "another program's": (_body(lambda _body: b"{}\n"), "lacks"),
    "other inputs": (_body(lambda body: body.replace(b'"inputs": 4', b'"inputs": 3')), "takes 3 inputs, not 4"),
    "no symbol": (_body(lambda body: body.replace(b"AAA.NS", b"../AAA")), "no symbol"),
    "another day's": (_renamed, "is not the file that its name says"),
    "writable by others": (lambda path: path.chmod(0o666), "could have been written by another user"),
    "a FIFO": (_in_its_place(os.mkfifo), "is a FIFO"),
    "a folder": (_in_its_place(Path.mkdir), "is a folder"),
}


def test_a_damaged_file_that_is_too_young_is_not_asked(tmp_path: Path) -> None:
    home, kept = Home(tmp_path), KeptStarts(Home(tmp_path))
    for day in ("2025-12-15", "2026-01-15"):
        kept.leave(start(day))
    os.truncate(home.common_models / f"2026-01-15-{KIND}.bin", 1000)
    found = kept.find(origin("2026-01-20"))
    assert found is not None and str(found.origin.fitted_before) == "2025-12-15"
    assert kept.problems == []


@pytest.mark.parametrize("name", DAMAGES)
def test_what_is_damaged_or_foreign_is_told_once_and_not_gone_on_from(name: str, tmp_path: Path) -> None:
    damage, told = DAMAGES[name]
    home, kept = Home(tmp_path), KeptStarts(Home(tmp_path))
    for day in ("2025-12-15", "2026-01-15"):
        kept.leave(start(day))
    damage(home.common_models / f"2026-01-15-{KIND}.bin")
    assert kept.find(origin("2026-02-15")) is None
    (problem,) = kept.problems
    assert told in problem and problem.endswith("; the common model is trained from nothing; delete it")
    assert problem.startswith(str(home.common_models))
    with pytest.raises(ValueError, match=f"2026-01-1.*{told}"):
        starts_of(home)


def test_a_network_that_cannot_be_kept_fails_no_training(tmp_path: Path) -> None:
    home, kept = Home(tmp_path), KeptStarts(Home(tmp_path))
    home.training.mkdir()
    home.common_models.write_text("in the way")
    kept.leave(start())
    (problem,) = kept.problems
    assert "common_models" in problem and problem.endswith("; the next training begins from nothing")


def test_bytes_of_any_length_are_refused_in_words() -> None:
    whole = to_bytes(start())
    for content in (b"", whole[:65], whole[: len(whole) // 2], whole + b"\x00", b"x" * (1 << 25)):
        with pytest.raises(ValueError, match="is damaged"):
            from_bytes(content)


def test_written_again_it_is_the_same_file(tmp_path: Path) -> None:
    for _ in range(2):
        write_start(Home(tmp_path), start())
    (path,) = Home(tmp_path).common_models.iterdir()
    assert path.read_bytes() == to_bytes(start())


# ---- in training -----------------------------------------------------------------------------------------------------

POOL = GlobalModelSettings(rounds=(1e-3,), shards=1)


def network_of(days: SplitDates, members: list, learning: Learning) -> Network:
    """The common network of a training that goes no further than to it."""
    trained: list[Network] = []

    class EnoughError(Exception):
        pass

    def enough(network: Network) -> None:
        trained.append(network)
        raise EnoughError

    steps = global_model_steps(days, members, learning, enough)
    step = next(steps)
    with pytest.raises(EnoughError):
        while True:
            step = steps.send([call(task) for task in step.tasks])
    return trained[0]


def test_what_a_training_leaves_knows_no_day_by_which_a_later_one_is_judged() -> None:
    """Whatever prices do from its `select` on, the network is the same; and a later `select` never lies before that."""
    known = made_up_prices(300)
    prepared = prepare(known, horizon=5, years=1, seed=1)
    [(days, _)] = divide({prepared.symbol: prepared})
    first = prepared.dates.searchsorted(days.select) - len(prepared.dates)
    frame = known.frame.copy()
    frame.iloc[first:, :5] *= np.linspace(1.0, 3.0, -first)[:, None]
    changed = prepare(replace(known, frame=frame), horizon=5, years=1, seed=1)
    assert not np.array_equal(changed.inputs, prepared.inputs)
    earlier = start(str(days.select - 20))
    for learning in (Learning(POOL, 1), Learning(POOL, 1, start=earlier)):
        ours, theirs = (network_of(days, [member], learning) for member in (prepared, changed))
        assert all(map(np.array_equal, ours.weights, theirs.weights))
        assert not all(map(np.array_equal, ours.weights, earlier.network.weights))


def test_only_the_stocks_that_share_their_days_go_on_and_leave_a_network() -> None:
    tables = {symbol: made_up_prices(260, seed=n, symbol=symbol) for n, symbol in enumerate(STOCKS[:3])}
    tables["GONE.NS"] = made_up_prices(
        260, seed=9, symbol="GONE.NS", last_day=made_up_prices().data_through.replace(month=3)
    )
    sets = {symbol: prepare(table, horizon=5, years=1, seed=1) for symbol, table in tables.items()}
    settings = TrainingSettings(years=1)

    class Asked(NoStarts):
        def __init__(self) -> None:
            self.origins: list[Origin] = []

        def find(self, origin: Origin) -> None:
            self.origins.append(origin)

    asked = Asked()
    first, other = groups_of(sets, settings, TrainingContext(starts=asked))
    assert [found.symbols for found in asked.origins] == [STOCKS[:3]]
    assert (first.origin, other.origin) == (asked.origins[0], None)
    assert first.origin is not None and first.origin.fitted_before == first.days.select
