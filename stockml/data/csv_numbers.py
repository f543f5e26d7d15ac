"""Numbers as people's files write them: thousands, decimal commas, currency signs, K/M/B.

"1,234" may be 1234 or 1.234. The whole file decides which, by a number that can only be read in one way; where it
holds none, the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from stockml.data.findings import PriceError

MISSING = ("", "-", "--", "–", "—", "na", "n/a", "#n/a", "nan", "null", "none", "nil", ".", "...")
OTHER_SHARE = 0.1  # so few numbers in another form are slips; more of them, and the file has no form
FACTORS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12, "l": 1e5, "lac": 1e5, "lakh": 1e5, "cr": 1e7}

_SIGNS = r"^(?:[$€£¥₹]|rs\.?|inr|usd|eur|gbp)\s*(?=[\d.,+-])|\s*(?:[$€£¥₹]|inr|usd|eur|gbp)$"
_SPACED = r"(?<=\d)[ '’\u00a0\u202f](?=\d{3}(?!\d))"  # 1 234 567,50 and 1'234'567.50
_SUFFIX = rf"\s*({'|'.join(sorted(FACTORS, key=len, reverse=True))})$"
# Numbers that can only be read in one way; P is the decimal point or comma, T the other, between thousands.
_SURE = (
    r"\d*P(?:\d{0,2}|\d{4,})",  # other than three digits behind it
    r"(?:0|\d{4,})P\d{3}",
    r"\d{1,3}(?:T\d{2,3})*T\d{3}P\d*",  # 1,234.5 and 1,23,456.7 as in India
    r"\d{1,3}(?:T\d{2,3})+T\d{3}",
)
_GROUPED = r"[+-]?(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})?(?:\.\d*)?(?:e[+-]?\d+)?"
_DOUBTFUL = r"[1-9]\d{0,2}T\d{3}"  # 1,234


def read_numbers(columns: Mapping[str, pd.Series], *, separator: str) -> dict[str, pd.Series]:
    """Numbers out of the texts of a file's columns.

    Parameters
    ----------
    columns : mapping of str to Series of str, shape (n_rows,) each
        The columns of one file that hold numbers; "volume" among them may have a suffix such as M.
    separator : str
        The character between the file's columns.

    Returns
    -------
    dict of str to Series, shape (n_rows,) each
        Float, NaN where nothing is given; of objects where a text is no number, which then stays as it is.

    Raises
    ------
    PriceError
        unreadable, where the file does not tell how its numbers are to be read.
    """
    cleaned = {name: _cleaned(texts) for name, texts in columns.items()}
    plain = {name: pd.to_numeric(texts, errors="coerce") for name, texts in cleaned.items()}
    if separator == "," and all((plain[name].notna() | texts.isna()).all() for name, texts in cleaned.items()):
        return plain
    has_comma = _has_decimal_comma(cleaned, separator)
    return {name: _parsed(columns[name], texts, has_comma) for name, texts in cleaned.items()}


def _cleaned(texts: pd.Series) -> pd.Series:
    """The texts without currency signs, padding and spaces between thousands; missing where they say so."""
    texts = texts.str.strip()
    lower = texts.str.lower()
    texts = lower.mask(lower.isin(MISSING))
    if pd.to_numeric(texts, errors="coerce").notna().equals(texts.notna()):
        return texts
    return texts.str.replace(_SIGNS, "", regex=True).str.replace(_SPACED, "", regex=True)


def _has_decimal_comma(columns: Mapping[str, pd.Series], separator: str) -> bool:
    every = pd.concat(list(columns.values())).dropna()
    texts = every.str.lstrip("+-").str.replace(_SUFFIX, "", regex=True)
    point, comma = _matched(texts, _SURE, ".,"), _matched(texts, _SURE, ",.")
    if min(point.sum(), comma.sum()) > OTHER_SHARE * max(point.sum(), comma.sum()):
        one, other = every[point].iloc[0], every[comma].iloc[0]
        raise PriceError("unreadable", f"its numbers have two forms ({one!r} and {other!r}); re-export the file")
    if point.any() or comma.any():
        return bool(comma.sum() > point.sum())
    volumes = columns.get("volume", every[:0]).dropna()
    if _matched(volumes, [_DOUBTFUL], ".,").any():  # volumes are whole numbers
        return False
    doubtful = _matched(texts, [_DOUBTFUL], ".,")
    if separator != ",":
        doubtful |= _matched(texts, [_DOUBTFUL], ",.")
    if doubtful.any():
        text = every[doubtful].iloc[0]
        whole, broken = re.sub(r"[.,]", "", text), text.replace(",", ".")
        remedy = "write its numbers without thousands separators"
        raise PriceError("unreadable", f"nothing in it tells whether {text!r} is {whole} or {broken}; {remedy}")
    return False


def _matched(texts: pd.Series, forms: Sequence[str], point_thousands: str) -> pd.Series:
    point, thousands = map(re.escape, point_thousands)
    pattern = "|".join(f"(?:{form})" for form in forms).replace("P", point).replace("T", thousands)
    return texts.str.fullmatch(pattern).astype(bool)


def _parsed(given: pd.Series, cleaned: pd.Series, has_comma: bool) -> pd.Series:
    """One column's numbers; what is given and cannot be read stays a text."""
    factors: float | pd.Series = 1.0
    texts = cleaned
    if given.name == "volume":
        suffixes = texts.str.extract(_SUFFIX, expand=False)
        factors = suffixes.map(FACTORS).astype(float).fillna(1.0)
        texts = texts.str.replace(_SUFFIX, "", regex=True)
    if has_comma:
        texts = texts.str.translate(str.maketrans(",.", ".,"))
    well_formed = texts.str.fullmatch(_GROUPED).astype("boolean").fillna(False).astype(bool)
    numbers = pd.to_numeric(texts.where(well_formed).str.replace(",", ""), errors="coerce") * factors
    unread = numbers.isna() & cleaned.notna()
    return numbers.astype(object).where(~unread, given) if unread.any() else numbers


def is_number(text: str) -> bool:
    """True for a text that looks like a number in some form."""
    return bool(re.fullmatch(r"[$€£¥₹+-]?\s*\d[\d.,'’ \u00a0\u202f]*\s*[A-Za-z%]{0,4}", text.strip()))
