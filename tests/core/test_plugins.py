"""Plug-ins are found by what packages register, cost nothing where there are none, and fail in one plain sentence."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from planted_plugins import plant, signal

from stockml.core import plugins
from stockml.core.plugins import SIGNALS, SOURCES, PluginError, in_words, installed


def test_where_none_is_registered_no_metadata_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        other = tmp_path / f"other_{number}-1.0.dist-info"
        other.mkdir()
        (other / "entry_points.txt").write_text("[console_scripts]\nstockml-train = stockml.commands:main\n")
    monkeypatch.setattr("sys.path", [str(tmp_path), str(tmp_path / "nowhere")])
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: pytest.fail("metadata was read"))
    assert installed(SIGNALS) == {}


def test_they_are_found_in_the_order_of_their_names_and_not_imported(tmp_path: Path, monkeypatch) -> None:
    broken = "raise RuntimeError('imported')"
    plant(tmp_path, {"signals": {"zeta": broken, "alpha": broken}})
    plant(tmp_path, {"signals": {"mid": broken}, "sources": {"base": broken}})
    monkeypatch.syspath_prepend(tmp_path)
    assert list(installed(SIGNALS)) == ["alpha", "mid", "zeta"]
    assert str(installed(SOURCES)["base"]).startswith("the price source base of the package planted-")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_module", "cannot be imported (ModuleNotFoundError: No module named 'no_such_module')"),
        ("def f(:", "cannot be imported (SyntaxError: invalid syntax"),
        ("raise SystemExit('bye')", "cannot be imported (SystemExit: bye)"),
        ("raise ValueError('one\\n\\ttwo\\x1b[31m ' + 'x' * 999)", "(ValueError: one two?[31m xxx"),
        ("other = 1", "cannot be imported (AttributeError: "),
        ("Plugin = 5", "names no class and no function"),
        ("def Plugin():\n    raise KeyError('a')", "cannot be made (KeyError: 'a')"),
        ("class Plugin:\n    def __init__(self, more): pass", "cannot be made (TypeError: "),
        ("class Plugin: pass", "has no method opinion, which each signal needs"),
        ("class Plugin:\n    opinion = 5", "has no method opinion, which each signal needs"),
        ("def Plugin(): return None", "has no method opinion, which each signal needs"),
    ],
)
def test_one_that_cannot_be_used_says_why_on_one_line(source: str, told: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(plant(tmp_path, {"signals": {"mine": source}}, "my-own"))
    with pytest.raises(PluginError) as caught:
        installed(SIGNALS)["mine"].made(["opinion"])
    text = str(caught.value)
    assert text.startswith("the signal mine of the package my-own 1.0") and told in text
    assert text.isprintable() and len(text) < 400


@pytest.mark.parametrize("name", ["Mine", "9th", "a-b", "a.b", "über", "a" * 33, "_a"])
def test_names_that_a_log_could_not_hold_are_refused(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(plant(tmp_path, {"signals": {name: signal(1)}}, "my-own"))
    with pytest.raises(PluginError, match=r"^the package my-own 1.0 calls a signal '.*', which is no name: small"):
        installed(SIGNALS)


def test_two_of_one_name_are_refused(tmp_path: Path, monkeypatch) -> None:
    for package in ("one", "other"):
        plant(tmp_path, {"signals": {"mine": signal(1)}}, package)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"package one 1.0 and .* package other 1.0 have one name; uninstall one"):
        installed(SIGNALS)


def test_more_than_a_line_of_the_log_can_bear_are_refused(tmp_path: Path, monkeypatch) -> None:
    named = {f"s{number}": signal(1) for number in range(plugins.MOST + 1)}
    monkeypatch.syspath_prepend(plant(tmp_path, {"signals": named}))
    with pytest.raises(PluginError, match="21 packages each bring a signal, and at most 20 can be used"):
        installed(SIGNALS)


def test_an_archive_or_a_folder_nobody_may_read_on_the_path_stops_nothing(tmp_path: Path, monkeypatch) -> None:
    archive = tmp_path / "all.zip"
    archive.write_bytes(b"PK\x05\x06" + b"\0" * 18)
    monkeypatch.syspath_prepend(archive)
    monkeypatch.syspath_prepend(tmp_path / "nowhere")
    assert installed(SIGNALS) == {}


def test_an_error_without_words_or_with_hostile_ones_is_named_by_its_kind() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert in_words(HostileError()) == "HostileError"
    assert in_words(ValueError()) == "ValueError"
    assert in_words(ValueError("full stop.")) == "ValueError: full stop"


def test_what_a_plugin_prints_goes_to_stderr(tmp_path: Path, monkeypatch, capfd: pytest.CaptureFixture[str]) -> None:
    source = "print('imported')\nclass Plugin:\n    def __init__(self): print('made')\n    opinion = print"
    monkeypatch.syspath_prepend(plant(tmp_path, {"signals": {"mine": source}}))
    installed(SIGNALS)["mine"].made(["opinion"])
    assert capfd.readouterr() == ("", "imported\nmade\n")
