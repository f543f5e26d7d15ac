"""A replay's months are trained as a training on each of their days would: the same bytes, also when broken off."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import made_up_prices
from scripts import files_under

from stockml.core.clock import Clock
from stockml.core.paths import Home
from stockml.data.fetch import span_of
from stockml.data.point_in_time import PointInTimePrices
from stockml.data.request import RawBars
from stockml.indicators.confidence_inputs import confidence_table
from stockml.trainers import monthly_training
from stockml.trainers.dataset import history_bars, sessions_needed
from stockml.trainers.fine_tuning import FineTuningSettings
from stockml.trainers.global_model import GlobalModelSettings
from stockml.trainers.groups import Group
from stockml.trainers.monthly_training import Month, MonthlyWork, train_months
from stockml.trainers.older_days import SharedInputs
from stockml.trainers.pipeline import TrainedStock, TrainingContext, TrainingFailure, TrainingSettings, save, train
from stockml.trainers.process_pool import WorkerDiedError, numbered_tasks
from stockml.trainers.start_store import KeptStarts

QUICK = TrainingSettings(
    years=1, pool=GlobalModelSettings(rounds=(1e-3,), shards=2, warm_share=0.5), own=FineTuningSettings(rates=(3e-4,))
)
DAYS = (date(2026, 4, 1), date(2026, 5, 4), date(2026, 6, 1))
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Here:
    """Runs tasks in this process, the last or the first first, since none may hang on their order; `most` at one go."""

    def __init__(self, most: int = 10**9, which: int = -1) -> None:
        self.most, self.which = most, which

    def map(self, function: Any, tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        numbered, waiting = numbered_tasks(tasks), []
        while waiting := [*waiting, *iter(partial(next, numbered, None), None)]:
            number, task = waiting.pop(self.which)
            if not self.most:
                raise KeyboardInterrupt
            self.most -= 1
            try:
                outcome = function(task)
            except Exception as error:
                outcome = error
            yield number, outcome


def stock(symbol: str, seed: int, n_days: int = 240, last_day: date = date(2026, 6, 30)) -> PointInTimePrices:
    frame = made_up_prices(n_days, seed=seed, symbol=symbol, last_day=last_day).frame
    return PointInTimePrices(symbol, RawBars(frame, "INR"), "csv")


STOCKS = (stock("BBB.NS", 1), stock("AAA.NS", 2))


def months(root: Path, days: Sequence[date] = DAYS) -> list[Month]:
    return [Month(root / "replay" / str(day), Clock(NOW, day)) for day in days]


def trained(
    root: Path, days: Sequence[date] = DAYS, stocks: Sequence[PointInTimePrices] = STOCKS
) -> list[TrainingFailure]:
    return train_months(months(root, days), MonthlyWork(stocks, QUICK, Here(), lambda *_stage: None))


def bundles(folder: Path) -> dict[str, bytes]:
    return {
        name: data for name, data in files_under(folder / "ml_training_data").items() if not name.startswith(".lock")
    }


def trained_live(home: Home, day: date) -> None:
    """What train_models.py does on a day."""
    clock = Clock(NOW, day)
    tables = {
        one.symbol: one.training_table(
            span_of(one.symbol, sessions_needed(QUICK.years), clock), history_bars(len(STOCKS))
        )
        for one in STOCKS
    }
    for result in train(tables, QUICK, TrainingContext(runner=Here(), starts=KeptStarts(home))):
        assert isinstance(result, TrainedStock), result
        save(home, result, trained_at=clock.written_time(result.symbol, tables[result.symbol].data_through))


side_by_side: list[int] = []  # months under way at a time
calls: list[str] = []  # of the progress callback, and of what is done meanwhile


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")

    class Watched(monthly_training._Months):
        def _go_on(self) -> None:
            side_by_side.append(len({one.opened.number for one in self.under_way if one.opened}))
            super()._go_on()

    runner, tell, meanwhile = Here(which=0), lambda *_stage: calls.append("tell"), lambda: calls.append("meanwhile")
    work = MonthlyWork(STOCKS, QUICK, runner, tell, meanwhile)
    assert Watched(months(root), work, deque(range(len(DAYS)))).train() == []
    return root


@pytest.mark.usefixtures("whole")
def test_something_else_may_be_done_after_each_task() -> None:
    assert len(calls) > 2 * len(DAYS) and calls == ["tell", "meanwhile"] * (len(calls) // 2)


def test_each_month_is_what_a_training_on_its_day_leaves(whole: Path, tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number, day in enumerate(DAYS):
        trained_live(home, day)
        ours, theirs = bundles(whole / "replay" / str(day)), bundles(tmp_path)
        common = {name for name in theirs if name.startswith("common_models")}
        assert len(common) == min(number + 1, 3) and common >= {n for n in ours if n.startswith("common_models")}
        assert ours.items() <= theirs.items()
        assert theirs.keys() - common == {name for name in ours if not name.startswith("common_models")}


def test_each_month_goes_on_from_the_one_before_and_says_so(whole: Path) -> None:
    starts = []
    for day in DAYS:
        folder = whole / "replay" / str(day) / "ml_training_data"
        (path,) = (folder / "common_models").iterdir()
        metrics = json.loads((folder / "models/AAA_NS/metrics.json").read_text())
        assert path.name.startswith(metrics["pool"]["fitted_before"])
        starts.append((metrics["started_from"], metrics["pool"]["fitted_before"]))
    assert starts[0][0] is None
    for (_, before), (start, fitted_before) in pairwise(starts):
        assert start["fitted_before"] == before < fitted_before and start["stocks"] == len(STOCKS)


def test_broken_off_and_gone_on_with_it_leaves_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    """Broken off while its first two months are under way, then gone on with for two months, then for all."""
    work = MonthlyWork(STOCKS, QUICK, Here(most=12), lambda *_stage: None)
    with pytest.raises(KeyboardInterrupt):
        train_months(months(tmp_path), work)
    assert not [path for path in (tmp_path / "replay").iterdir() if not path.name.startswith(".")]
    trained(tmp_path, DAYS[:2])
    assert trained(tmp_path) == []
    assert files_under(tmp_path / "replay") == files_under(whole / "replay")


def test_a_month_that_is_there_is_left_and_its_network_gone_on_from(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "replay" / str(DAYS[2]))
    before = files_under(tmp_path / "replay" / str(DAYS[0]))
    trained(tmp_path)
    assert files_under(tmp_path / "replay") == files_under(whole / "replay")
    assert files_under(tmp_path / "replay" / str(DAYS[0])) == before


def test_after_a_month_whose_network_is_damaged_the_next_is_trained_from_nothing(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "replay" / str(DAYS[2]))
    (path,) = (tmp_path / "replay" / str(DAYS[1]) / "ml_training_data/common_models").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    trained(tmp_path)
    metrics = tmp_path / "replay" / str(DAYS[2]) / "ml_training_data/models/AAA_NS/metrics.json"
    assert json.loads(metrics.read_text())["started_from"] is None
    assert f"{path}: is damaged; the month after it is trained from nothing." in caplog.text


def test_a_stock_without_enough_days_and_one_with_days_of_its_own_stop_no_other(tmp_path: Path) -> None:
    young, gone = stock("NEW.NS", 5, n_days=120), stock("OLD.NS", 6, last_day=date(2025, 12, 1))
    failures = trained(tmp_path, DAYS[:2], (*STOCKS, young, gone))
    assert {failure.symbol for failure in failures} == {"NEW.NS"} and len(failures) == 2
    for day in DAYS[:2]:
        models = tmp_path / "replay" / str(day) / "ml_training_data/models"
        found = {path.name: json.loads((path / "metrics.json").read_text()) for path in models.iterdir()}
        assert found.keys() == {"AAA_NS", "BBB_NS", "OLD_NS"}
        assert found["OLD_NS"]["started_from"] is None and found["OLD_NS"]["pool"]["stocks"] == 1
        assert (found["AAA_NS"]["started_from"] is None) == (day == DAYS[0])
    assert not list(tmp_path.glob("replay/.*"))


def test_without_stocks_nothing_is_trained(tmp_path: Path) -> None:
    assert trained(tmp_path, stocks=()) == []
    assert not (tmp_path / "replay").exists()


def test_a_stock_whose_preparation_kills_its_process_fails_alone(tmp_path: Path) -> None:
    class Killing(Here):
        def map(self, function: Any, tasks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
            def work(task: Any) -> Any:
                if task[0] is monthly_training.training_sets and task[1][1].stock.symbol == "AAA.NS":
                    raise WorkerDiedError("its process was killed each time")
                return function(task)

            return super().map(work, tasks)

    work = MonthlyWork((stock("CCC.NS", 9), *STOCKS), QUICK, Killing(), lambda *_stage: None)
    failures = train_months(months(tmp_path, DAYS[:2]), work)
    assert [failure.symbol for failure in failures] == ["AAA.NS"] * 2
    assert "training failed (its process was killed each time)" in failures[0].message
    for day in DAYS[:2]:
        models = tmp_path / "replay" / str(day) / "ml_training_data/models"
        assert {path.name for path in models.iterdir()} == {"BBB_NS", "CCC_NS"}


def test_a_group_that_fails_lets_no_later_month_begin_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups_of = monthly_training.groups_of

    class Failing(Group):
        def steps(self) -> Any:
            raise RuntimeError("its process was killed each time")

    def with_failures(*what: Any) -> Iterator[Group]:
        for group in groups_of(*what):
            is_first = group.origin is not None
            yield group if is_first else Failing(group.days, group.members, group.how, None, group.starts)

    monkeypatch.setattr(monthly_training, "groups_of", with_failures)
    failures = trained(tmp_path, DAYS[:2], (*STOCKS, stock("OLD.NS", 6, last_day=date(2025, 12, 1))))
    assert [failure.symbol for failure in failures] == ["OLD.NS", "OLD.NS"]
    models = tmp_path / "replay" / str(DAYS[1]) / "ml_training_data/models"
    assert json.loads((models / "AAA_NS/metrics.json").read_text())["started_from"] is not None


def test_the_stocks_of_a_month_are_finished_beside_the_next_month_s_network(whole: Path) -> None:
    assert max(side_by_side) == monthly_training.SIDE_BY_SIDE == 3


@pytest.mark.parametrize("n_days", [300, 700, 1499])
def test_the_inputs_of_a_shorter_history_are_the_beginning_of_the_longest_s(n_days: int) -> None:
    longest = made_up_prices(1500)
    shared = SharedInputs(longest)
    history = replace(longest, frame=longest.frame.iloc[:n_days])
    assert shared.of(history).equals(confidence_table(history))


def test_inputs_are_computed_again_where_another_bar_or_break_counts() -> None:
    longest = made_up_prices(900)
    shared = SharedInputs(longest)
    frame = longest.frame.iloc[:800]
    others = {
        "later start": replace(longest, frame=frame.iloc[5:]),
        "another close": replace(
            longest, frame=frame.assign(close=frame["close"] * np.where(np.arange(800) < 400, 1.01, 1.0))
        ),
        "a break": replace(longest, frame=frame, breaks=(frame.index[600].date(),)),
    }
    for history in others.values():
        assert shared.of(history).equals(confidence_table(history))
    assert SharedInputs(None).of(longest).equals(confidence_table(longest))
