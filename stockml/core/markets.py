"""Markets: which exchange a symbol, an exchange's name or Yahoo's answer belongs to, with its zone, closes and week.

Standard library only. Holidays are left to `known_sessions`, the assignment of a run to `exchanges`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from zoneinfo import ZoneInfo

from stockml.core.paths import check_symbol

WEEKDAYS, EVERY_DAY, SUNDAY_TO_THURSDAY, NEW_YORK = "weekdays", "24/7", "sunday-thursday", "XNYS"

MON_FRI, SUN_THU, SAT_WED = frozenset(range(5)), frozenset({6, 0, 1, 2, 3}), frozenset({5, 6, 0, 1, 2})  # as weekday()


@dataclass(frozen=True, slots=True)
class Market:
    """One exchange; both closes are local, and `weeks` are its weekdays from a day on, oldest first."""

    code: str
    city: str
    timezone: ZoneInfo
    close: time
    earliest_close: time
    weeks: tuple[tuple[date, frozenset[int]], ...]
    has_holidays: bool  # exchange_calendars knows them

    def week_on(self, day: date) -> frozenset[int]:
        """The weekdays on which it trades in that day's year, 0 for Monday."""
        return next(week for since, week in reversed(self.weeks) if since <= day)


# Market, city, time zone, regular close, earliest close since 2000 (a test compares them with exchange_calendars),
# then the endings and symbols that trade there, and after @ Yahoo's names of the exchange. A market that never stops
# closes with the last second of the day: on the session's own date, as every other market does.
_TABLE = """
weekdays   - UTC 23:59:59 23:59:59
sunday-thursday - UTC 23:59:59 23:59:59
24/7       - UTC 23:59:59 23:59:59 @CCC
simulated  - UTC 16:00 16:00
currencies - Europe/London 23:59:59 23:59:59 =X @CCY
ASEX Athens Europe/Athens 17:20 17:00 .AT @ATH
BVMF São_Paulo America/Sao_Paulo 18:00 17:00 .SA ^BVSP @SAO
CMES Chicago America/Chicago 17:00 12:00 =F .CBT .CME .CMX .NYB .NYM @CBT @CME @CMX @NYB @NYM
XAMS Amsterdam Europe/Amsterdam 17:30 14:05 .AS ^AEX @AMS @DXE
XASX Sydney Australia/Sydney 16:00 14:10 .AX .XA ^AXJO ^AORD @ASX @CXA
XBKK Bangkok Asia/Bangkok 16:30 16:30 .BK @SET
XBOG Bogotá America/New_York 16:00 16:00 .CL @BVC
XBOM Mumbai Asia/Kolkata 15:30 15:30 .NS .BO ^NSEI ^BSESN ^NSEBANK ^INDIAVIX ^CNXIT @NSI @NSE @BSE
XBRU Brussels Europe/Brussels 17:30 14:05 .BR ^BFX @BRU
XBSE Bucharest Europe/Bucharest 17:45 17:45 .RO @BVB
XBUD Budapest Europe/Budapest 17:00 17:00 .BD @BUD
XBUE Buenos_Aires America/Argentina/Buenos_Aires 17:00 13:00 .BA ^MERV @BUE
XCSE Copenhagen Europe/Copenhagen 17:00 17:00 .CO @CPH
XDUB Dublin Europe/Dublin 16:28 12:28 .IR @ISE
XDUS Düsseldorf Europe/Brussels 22:00 14:00 .DU @DUS
XETR Frankfurt_(Xetra) Europe/Berlin 17:30 14:00 .DE ^GDAXI ^MDAXI ^STOXX50E @GER
XFRA Frankfurt Europe/Berlin 17:30 14:00 .F .BE .BM .MU .HA @FRA @BER @MUN @HAN
XHAM Hamburg Europe/Brussels 22:00 14:00 .HM @HAM
XHEL Helsinki Europe/Helsinki 18:30 18:30 .HE @HEL
XHKG Hong_Kong Asia/Hong_Kong 16:00 12:00 .HK ^HSI ^HSCE @HKG
XICE Reykjavík Atlantic/Reykjavik 15:30 15:30 .IC @ICE
XIDX Jakarta Asia/Jakarta 15:50 15:50 .JK ^JKSE @JKT
XIST Istanbul Europe/Istanbul 18:00 12:30 .IS @IST
XJSE Johannesburg Africa/Johannesburg 17:00 17:00 .JO @JNB
XKAR Karachi Asia/Karachi 15:30 15:30 .KA @KAR
XKLS Kuala_Lumpur Asia/Kuala_Lumpur 17:00 12:30 .KL ^KLSE @KLS
XKRX Seoul Asia/Seoul 15:30 15:00 .KS .KQ ^KS11 ^KQ11 @KSC @KOE
XLIM Lima America/Lima 16:00 16:00 .LM
XLIS Lisbon Europe/Lisbon 16:30 13:05 .LS @LIS
XLIT Vilnius Europe/Vilnius 16:00 16:00 .VS @LIT
XLON London Europe/London 16:30 12:30 .L .IL .AQ .XC ^FTSE ^FTMC ^FTAS @LSE @IOB @AQS @CXE @FGI
XMAD Madrid Europe/Madrid 17:30 14:00 .MC .MA .BC .BI ^IBEX @MCE @MAD
XMEX Mexico_City America/Mexico_City 15:00 15:00 .MX ^MXX @MEX
XMIL Milan Europe/Rome 17:30 17:30 .MI .TI @MIL @TLO
XMOS Moscow Europe/Moscow 18:45 18:45 .ME @MCX
XNYS New_York America/New_York 16:00 13:00 .PK .OB @NYS @NYQ @NMS @NGM @NCM @NAS @ASE @PCX @BTS @PNK @OQB @OQX @OEM \
@NAE @CXI @SNP @DJI @NIM @WCB @CBO @CGI
XNZE Wellington Pacific/Auckland 16:45 12:45 .NZ ^NZ50 @NZE
XOSL Oslo Europe/Oslo 16:20 13:00 .OL @OSL
XPAR Paris Europe/Paris 17:30 14:05 .PA .NX ^FCHI @PAR @ENX
XPHS Manila Asia/Manila 15:30 15:30 .PS @PHS @PHP
XPRA Prague Europe/Prague 16:20 16:20 .PR @PRA
XRIS Riga Europe/Riga 16:00 16:00 .RG @RIS
XSAU Riyadh Asia/Riyadh 15:00 15:00 .SR .SAU @SAU
XSES Singapore Asia/Singapore 17:00 17:00 .SI ^STI @SES
XSGO Santiago America/Santiago 17:00 12:30 .SN ^IPSA @SGO
XSHG Shanghai Asia/Shanghai 15:00 15:00 .SS .SZ @SHH @SHZ
XSTO Stockholm Europe/Stockholm 17:30 13:00 .ST ^OMX @STO
XSTU Stuttgart Europe/Berlin 22:00 22:00 .SG @STU
XSWX Zurich Europe/Zurich 17:30 17:30 .SW ^SSMI @EBS
XTAE Tel_Aviv Asia/Tel_Aviv 17:15 13:50 .TA @TLV
XTAI Taipei Asia/Taipei 13:30 13:30 .TW .TWO ^TWII @TAI @TWO
XTAL Tallinn Europe/Tallinn 16:00 16:00 .TL @TAL
XTKS Tokyo Asia/Tokyo 15:30 15:00 .T ^N225 @JPX @OSA @SAP @FKA
XTSE Toronto America/Toronto 16:00 13:00 .TO .V .CN .NE ^GSPTSE @TOR @VAN @CNQ @NEO
XWAR Warsaw Europe/Warsaw 17:00 17:00 .WA @WSE
XWBO Vienna Europe/Vienna 17:30 14:15 .VI ^ATX @VIE
"""
# Exchanges whose holidays nobody here knows: their week alone counts, and no session surely closes before noon.
_WEEK_ALONE = """
CEUX Amsterdam_(Cboe_Europe) Europe/Amsterdam 17:30 12:00 .XD
DSMD Doha Asia/Qatar 13:15 12:00 .QA @DOH
XAMM Amman Asia/Amman 13:00 12:00 .AM
XBAH Manama Asia/Bahrain 13:00 12:00 .BH
XCAI Cairo Africa/Cairo 14:30 12:00 .CA @CAI
XCAR Caracas America/Caracas 14:00 12:00 .CR @CCS
XCOL Colombo Asia/Colombo 14:30 12:00 .CM @CSE
XDFM Dubai Asia/Dubai 15:00 12:00 .AE @DFM
XDHA Dhaka Asia/Dhaka 14:30 12:00 .DS
XKUW Kuwait Asia/Kuwait 13:00 12:00 .KW @KUW
XMUS Muscat Asia/Muscat 14:00 12:00 .OM
XSTC Ho_Chi_Minh_City Asia/Ho_Chi_Minh 15:00 12:00 .VN @VSE
"""
_WEEKS = {
    SUNDAY_TO_THURSDAY: ((date.min, SUN_THU),),
    EVERY_DAY: ((date.min, frozenset(range(7))),),
    **dict.fromkeys(("DSMD", "XAMM", "XBAH", "XCAI", "XDHA", "XMUS"), ((date.min, SUN_THU),)),
    "XDFM": ((date.min, SUN_THU), (date(2022, 1, 3), MON_FRI)),
    "XKUW": ((date.min, SAT_WED), (date(2007, 9, 2), SUN_THU)),
    "XSAU": ((date.min, SAT_WED), (date(2013, 6, 29), SUN_THU)),
    "XTAE": ((date.min, SUN_THU), (date(2026, 1, 5), MON_FRI)),
}
_ROWS = [row.split() for row in (_TABLE + _WEEK_ALONE).splitlines() if row]
_ROW_OF = {row[0]: row for row in _ROWS}
_MARKET_OF = {listed: row[0] for row in _ROWS for listed in row[5:]}
_WITHOUT_HOLIDAYS = {row.split()[0] for row in _WEEK_ALONE.strip().splitlines()}
_CRYPTO_PAIR = re.compile(r"[A-Z0-9]+-(USD|USDT|EUR|GBP|INR|JPY|CAD|AUD|BTC|ETH)")
_SHARE_CLASS = re.compile(r"([A-Za-z]{1,5})\.([A-Za-z])")
_IN_A_ZONE = f"{WEEKDAYS}@"

# The exchanges that `--exchange` may name.
EXCHANGES = tuple(sorted(code for code in _ROW_OF if code.isupper() and code.isalpha()))
_ALSO_NAMED = {"NASDAQ": "XNYS", "XNAS": "XNYS", "NYSE": "XNYS", "AMEX": "XNYS", "US": "XNYS", "XNSE": "XBOM"} | {
    "INDIA": "XBOM", "XETRA": "XETR", "TASE": "XTAE", "TADAWUL": "XSAU", "EGX": "XCAI", "TSE": "XTKS", "TSX": "XTSE"
}  # fmt: skip


@functools.cache
def market(code: str) -> Market:
    """The market of a code in the table, or of "weekdays@" and a time zone."""
    zone_alone = code.removeprefix(_IN_A_ZONE) if code.startswith(_IN_A_ZONE) else None
    row = _ROW_OF[code] if zone_alone is None else [code, zone_alone, zone_alone, "23:59:59", "23:59:59"]
    close, earliest = time.fromisoformat(row[3]), time.fromisoformat(row[4])
    weeks = _WEEKS.get(code, ((date.min, MON_FRI),))
    has_holidays = code in EXCHANGES and code not in _WITHOUT_HOLIDAYS
    return Market(code, row[1].replace("_", " "), ZoneInfo(row[2]), close, earliest, weeks, has_holidays)


def is_market(code: str) -> bool:
    """True for a code that `market` knows."""
    zone_alone = code.removeprefix(_IN_A_ZONE)
    return code in _ROW_OF or (zone_alone != code and _weekdays_in(zone_alone) == code)


@functools.lru_cache(maxsize=4096)
def market_of(symbol: str) -> str | None:
    """The market that a symbol in Yahoo's spelling names itself; None where it names none that is known."""
    symbol = as_yahoo_writes(symbol.upper())
    if symbol.startswith("SIM-"):
        return "simulated"
    if symbol in _MARKET_OF:
        return _MARKET_OF[symbol]
    if _CRYPTO_PAIR.fullmatch(symbol):
        return EVERY_DAY
    ending = re.search(r"[.=][^.=]*$", symbol)
    return _MARKET_OF.get(ending[0]) if ending else None


def assumed_market(symbol: str) -> str:
    """The market of a symbol that names none: New York's, or weekdays in UTC for an ending that nobody knows.

    The close of the latter is the day's end in UTC, when every exchange has closed.
    """
    return WEEKDAYS if re.search(r"[.=]", as_yahoo_writes(symbol.upper())) else NEW_YORK


def entered_symbol(text: str) -> str:
    """The symbol that somebody wrote, as Yahoo writes it: tcs.ns is TCS.NS, brk.b is BRK-B.

    Raises
    ------
    ValueError
        As `check_symbol`.
    """
    return as_yahoo_writes(check_symbol(text.strip()).upper())


def as_yahoo_writes(symbol: str) -> str:
    """A share class with a dot as Yahoo writes it, BRK-B for BRK.B; any other symbol as it is."""
    shares = _SHARE_CLASS.fullmatch(symbol)
    if shares is None or f".{shares[2].upper()}" in _MARKET_OF:  # .F, .L, .T and .V are exchanges
        return symbol
    return f"{shares[1]}-{shares[2]}"


def market_named(name: str) -> str:
    """The market that a person names: by its code, an ending such as .NS, Yahoo's or its common name.

    Raises
    ------
    ValueError
        Where there is none, with those that are spelt alike or all there are.
    """
    wanted = name.strip().upper()
    for code in (
        wanted,
        _ALSO_NAMED.get(wanted),
        _MARKET_OF.get(f"@{wanted}"),
        _MARKET_OF.get(f".{wanted.lstrip('.')}"),
    ):
        if code in EXCHANGES:
            return str(code)
    import difflib

    near = difflib.get_close_matches(wanted, [*EXCHANGES, *_ALSO_NAMED], n=10, cutoff=0.7)
    alike = sorted(near, key=lambda code: not code.startswith(wanted[:3]))[:3]
    known = f"did you mean {' or '.join(alike)}?" if alike else f"known are {', '.join(EXCHANGES)}"
    raise ValueError(f"{name!r} is no exchange that is known; {known}")


def market_by_yahoo(symbol: str, exchange: str | None, zone: str | None) -> str | None:
    """The market by the exchange and the time zone in Yahoo's answer; None where they say nothing that helps.

    An exchange that is not in the table is told by its zone alone, and only where the symbol names no market itself.
    """
    if exchange and f"@{exchange.upper()}" in _MARKET_OF:
        return _MARKET_OF[f"@{exchange.upper()}"]
    if market_of(symbol) or not zone or not exchange or exchange == "YHD":  # YHD: no exchange lists it any more
        return None
    in_zone = [code for code in EXCHANGES if _ROW_OF[code][2] == zone]
    return in_zone[0] if len(in_zone) == 1 else _weekdays_in(zone)


def _weekdays_in(zone: str) -> str | None:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):  # an unknown zone is a KeyError, an impossible name a ValueError
        return None
    return f"{_IN_A_ZONE}{zone}"


def named(codes: Sequence[str]) -> str:
    """Markets in words: New York (XNYS)."""
    return ", ".join(f"{market(code).city} ({code})" if market(code).city != "-" else code for code in codes)
