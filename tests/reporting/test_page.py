"""The page as a file: self-contained, escaped, marked, readable, of bounded size, whole in every state."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from report_helpers import (
    HOSTILE,
    Parsed,
    ended,
    hostile_home,
    made_up_home,
    page_of,
    stock_lines,
    write_log,
    write_metrics,
)

from stockml.core.paths import Home
from stockml.reporting import formatting as report_words
from stockml.reporting.page import PAGE, report_path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return made_up_home(tmp_path_factory.mktemp("home"), 4, 60)[0]


@pytest.fixture(scope="module")
def page(home: Home) -> Parsed:
    return Parsed(page_of(home))


def test_it_refers_to_nothing_outside_itself(page: Parsed) -> None:
    addresses = [value for name, value in page.attributes if name in ("src", "href", "action", "data", "poster")]
    assert addresses and all(value is not None and value.startswith(("#", "data:,")) for value in addresses)
    style, scripts = "".join(page.texts["style"]), "".join(page.texts["script"])
    assert "url(" not in style and "@import" not in style
    assert set(re.findall(r"\w+://[^\"'` ]*", scripts)) == {"http://www.w3.org/2000/svg"}  # a name, never asked for
    assert not re.search(
        r"fetch\(|XMLHttpRequest|import\(|innerHTML|outerHTML|insertAdjacent|eval\(|document\.write", scripts
    )


def test_its_policy_lets_only_its_own_style_and_script_work(page: Parsed) -> None:
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in str(value))
    script = next(text for text in page.texts["script"] if not text.startswith("{"))
    for directive, text in (("style-src", page.texts["style"][0]), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none';")
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]


def test_no_word_from_outside_becomes_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "stockml.prediction_log.line.check_symbol", str
    )  # the log refuses such a symbol; the page relies on nobody
    hostile, plain = (
        Parsed(page_of(hostile_home(tmp_path / name, text)))
        for name, text in (("hostile", HOSTILE), ("plain", "plain"))
    )
    assert hostile.tags == plain.tags
    assert len(hostile.attributes) == len(plain.attributes)
    assert hostile.data["stocks"][HOSTILE]["symbol"] == HOSTILE
    told = [text for texts in hostile.texts.values() for text in texts]
    assert any(text == HOSTILE for text in told), "it is shown as it is written"


def test_it_says_once_that_it_is_no_advice(home: Home) -> None:
    assert page_of(home).lower().count("advice") == 1


@pytest.mark.parametrize("is_simulated", [True, False])
def test_a_simulated_market_is_marked(is_simulated: bool, home: Home) -> None:
    page = Parsed(page_of(home, is_simulated=is_simulated))
    assert ("Simulated market." in page.texts.get("strong", [])) is is_simulated
    assert page.texts["title"][0].startswith("Simulated: ") is is_simulated


def test_without_predictions_it_says_what_to_do(tmp_path: Path) -> None:
    page = Parsed(page_of(Home(tmp_path)))
    assert "./realtime_predictor.py" in page.texts["code"] and "./train_models.py" in page.texts["code"]
    assert "table" not in page.tags
    words = " ".join(text for tag in ("p", "dd", "h2") for text in page.texts[tag])
    assert not re.search(r"\b(nan|NaN|None|undefined)\b", words)


def test_before_the_first_outcome_it_says_when_it_will_be_known(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_log(home, stock_lines("ONE.XY", 3, seed=1))
    text = page_of(home)
    assert "Nothing is verified yet. The first outcomes are known after the close of 1 Apr 2026" in text


def test_several_horizons_are_told_apart(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_log(home, stock_lines("TWO.XY", 20, seed=1), stock_lines("TWO.XY", 40, seed=1, horizon=10))
    data = Parsed(page_of(home)).data
    assert list(data["stocks"]) == ["TWO.XY@5", "TWO.XY@10"]
    totals = {name: record["total"]["n"] for name, record in data["records"].items()}
    assert totals == {"5": 15, "10": 30} and data["horizon"] == "5"


def test_models_stand_beside_no_change_and_say_when_they_are_stale(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_log(home, stock_lines("A.XY", 10, seed=1))
    write_metrics(home, "A.XY", data_through="2026-01-30")
    metrics = json.loads((home.models / "A_XY" / "metrics.json").read_text())
    text = page_of(home)
    assert all(f"{metrics[name]:.2f} %" in text for name in ("lstm_mae", "xgb_mae", "ensemble_mae", "naive_mae"))
    assert '<strong class="alarm">stale</strong>' in text


def test_a_model_that_has_seen_later_days_is_not_shown(tmp_path: Path) -> None:
    home = Home(tmp_path)
    write_log(home, stock_lines("A.XY", 10, seed=1))
    write_metrics(home, "A.XY", data_through="2026-06-30")
    assert 'id="validation"' not in page_of(home)


def test_what_failed_and_what_is_damaged_is_on_the_page(tmp_path: Path) -> None:
    home, log = made_up_home(tmp_path, 1, 20)
    with log.path.open("ab") as file:
        file.write(b'{"symbol": "HALF"\n')
    ended(home, exit_code=1, failures=[{"symbol": "B.XY", "kind": "network", "message": "B.XY: no answer; try later"}])
    text = page_of(home)
    assert "B.XY: no answer; try later" in text
    assert "Damaged lines of the log (1)" in text and "line 21" in text


def test_it_is_small_enough_for_fifty_stocks(tmp_path: Path) -> None:
    home, _ = made_up_home(tmp_path, 50, 255)
    size = len(page_of(home).encode())
    assert size < 4_000_000, "6 MB are promised; half of that leaves room for more signals"


def test_it_replaces_the_last_page_whole(home: Home) -> None:
    page_of(home)
    before = report_path(home).stat().st_ino
    page_of(home)
    assert report_path(home).stat().st_ino != before
    assert not list(report_path(home).parent.glob("*.tmp"))


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (3845.5, "3,845.50"),
        (1234567.891, "1,234,567.89"),
        (10, "10.00"),
        (9.87654321, "9.8765"),
        (0.000012345, "0.000012345"),
    ],
)
def test_prices_are_written_with_the_digits_that_matter(price: float, text: str) -> None:
    assert report_words.money(price) == text


@pytest.mark.parametrize(("value", "text"), [(3.4, "+3.40 %"), (-0.001, "0.00 %"), (0, "0.00 %"), (-2.5, "−2.50 %")])
def test_changes_are_written_with_their_sign(value: float, text: str) -> None:
    assert report_words.signed(value) == text


@pytest.mark.parametrize(
    ("value", "arrow", "kind"), [(0.004, "■", ""), (0.01, "▲", "up"), (-0.004, "■", ""), (-0.3, "▼", "down")]
)
def test_an_arrow_says_what_the_figure_says(value: float, arrow: str, kind: str) -> None:
    assert (report_words.arrow(value), report_words.direction(value)) == (arrow, kind)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_is_readable_on_its_ground(scheme: int) -> None:
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", (PAGE / "page.css").read_text())
    colours = {name: both[scheme] for name, *both in pairs}
    inks = [(ink, ground) for ink in ("ink", "muted", "ours", "naive", "up", "down") for ground in ("card", "ground")]
    for ink, ground in [*inks, ("ink", "faint"), ("warn", "warn-ground")]:
        one, other = sorted((luminance(colours[ink]), luminance(colours[ground])))
        assert (other + 0.05) / (one + 0.05) >= 4.5, f"{ink} on {ground}"
