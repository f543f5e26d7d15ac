"""Docstrings open with a noun or a verb; public functions of arrays say shapes in numpydoc sections, and errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from scripts import PROJECT

FILES = [*sorted((PROJECT / "stockml").rglob("*.py")), PROJECT / "train_models.py", PROJECT / "realtime_predictor.py"]
QUESTIONS = {"What", "How", "Whether", "Where", "Who", "Which", "When", "Why"}
ARRAYS = re.compile(r"\b(Array|Mask|NDArray|ndarray|ArrayLike|Float32|Values|Series|DataFrame)\b")


def names(path: str) -> str:
    return path.removeprefix(str(PROJECT) + "/")


def definitions(body: list[ast.stmt]) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions, and public methods of public classes, by name."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from ((f"{node.name}.{name}", inner) for name, inner in definitions(node.body))
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node


def array_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in FILES:
        for name, node in definitions(ast.parse(path.read_text()).body):
            hints = [argument.annotation for argument in (*node.args.args, *node.args.kwonlyargs)] + [node.returns]
            if any(ARRAYS.search(ast.unparse(hint)) for hint in hints if hint):
                yield f"{names(str(path))}:{name}", node


CASES = dict(array_functions())


@pytest.mark.parametrize("name", CASES)
def test_a_public_function_of_arrays_says_their_shapes(name: str) -> None:
    text = ast.get_docstring(CASES[name]) or ""
    is_property = any(ast.unparse(mark) == "property" for mark in CASES[name].decorator_list)
    assert "shape" in text
    if CASES[name].args.args[1:] and not is_property:
        assert re.search(r"^Parameters\n-{10}$", text, flags=re.M)
    returns = CASES[name].returns
    if returns is not None and ARRAYS.search(ast.unparse(returns)) and not is_property:
        assert re.search(r"^Returns\n-{7}$", text, flags=re.M)


@pytest.mark.parametrize("name", CASES)
def test_a_public_function_of_arrays_says_its_errors(name: str) -> None:
    raised = {
        ast.unparse(node.exc.func)
        for node in ast.walk(CASES[name])
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }
    assert all(error in (ast.get_docstring(CASES[name]) or "") for error in raised - {"AssertionError"})


def test_docstrings_open_with_a_noun_or_a_verb() -> None:
    opened = [
        f"{names(str(path))}: {text.splitlines()[0]}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node))
    ]
    assert len(opened) > 500
    assert not [line for line in opened if line.partition(": ")[2].split()[0] in QUESTIONS]
