"""Format ``azure``: a CSV line of the Azure LLM inference trace, ``TIMESTAMP,ContextTokens,GeneratedTokens``.

SOURCE: github.com/Azure/AzurePublicDataset, AzureLLMInferenceTrace (2023: naive UTC with seven fractional
digits; 2024: microseconds with an offset). The trace has **no accounts**: each line is given to one of a
number of invented accounts by a seeded hash of the line, with Zipf shares (account k gets a share
proportional to 1/k), because real usage is that uneven. Anything measured per account on this trace is
therefore semi-synthetic.

The header line carries no request and yields ``None``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import datetime
from hashlib import blake2b
from itertools import accumulate

from schemas.errors import MalformedRecord
from schemas.event import RequestEvent

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
MAX_LINE_BYTES = 256

_HEADER = ",".join(COLUMNS).lower().encode()
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.(\d{1,7}))?([+-]\d\d:\d\d|Z)?")
_TOKENS = re.compile(r"\d{1,15}")


class AzureTrace:
    """Reader of trace lines.

    Args:
        accounts: how many accounts the lines are spread over.
        seed: changes which line goes to which account.
    """

    def __init__(self, accounts: int, seed: int = 0) -> None:
        shares = list(accumulate(1.0 / rank for rank in range(1, accounts + 1)))
        self._edges = [share / shares[-1] for share in shares]
        self._key = seed.to_bytes(8, "big", signed=True)
        self._digits = len(str(accounts - 1))

    def read(self, payload: bytes) -> RequestEvent | None:
        """Decode one line; ``None`` for the header. Equal lines give equal events.

        Raises:
            MalformedRecord: names the column.

        >>> event = AzureTrace(500).read(b"2023-11-16 18:17:03.9799600,4808,10")
        >>> event.account_id, event.time.isoformat(), event.input_tokens
        ('acct-016', '2023-11-16T18:17:03.979960+00:00', 4808)
        """
        line = payload.strip()
        if line.removeprefix(b"\xef\xbb\xbf").lower() == _HEADER:
            return None
        time, input_tokens, output_tokens = _columns(line)
        digest = blake2b(line, key=self._key, digest_size=24).digest()
        share = int.from_bytes(digest[16:], "big") / 2**64
        rank = min(bisect_left(self._edges, share), len(self._edges) - 1)
        return RequestEvent(
            schema_version=1,
            event_id=f"azure-{digest[:16].hex()}",
            time=time,
            source="azure",
            account_id=f"acct-{rank:0{self._digits}d}",
            provider="azure",
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )


def _columns(line: bytes) -> tuple[datetime, int, int]:
    if not line:
        raise MalformedRecord("Empty record")
    if len(line) > MAX_LINE_BYTES:
        reason = f"Expected a line of at most {MAX_LINE_BYTES} bytes, got {len(line)}"
        raise MalformedRecord(reason, field=COLUMNS[min(line[:MAX_LINE_BYTES].count(b","), 2)])
    try:
        cells = line.decode("ascii").split(",")
    except UnicodeDecodeError as error:
        column = min(line[: error.start].count(b","), 2)
        raise MalformedRecord(f"Expected ASCII (byte {error.start})", field=COLUMNS[column]) from None
    if len(cells) < 3:
        raise MalformedRecord(f"Expected 3 columns, got {len(cells)}", field=COLUMNS[len(cells)])
    if len(cells) > 3:
        raise MalformedRecord(f"Expected 3 columns, got {len(cells)}", field=COLUMNS[2])
    for name, cell in zip(COLUMNS[1:], cells[1:], strict=True):
        if not _TOKENS.fullmatch(cell):
            raise MalformedRecord(f"Expected an `int` >= 0, got {cell[:40]!r}", field=name)
    return _time(cells[0]), int(cells[1]), int(cells[2])


def _time(cell: str) -> datetime:
    match = _TIME.fullmatch(cell)
    if not match:
        raise MalformedRecord(f"Expected `YYYY-MM-DD hh:mm:ss.fffffff`, got {cell[:40]!r}", field=COLUMNS[0])
    fraction, zone = match.groups()
    # Python's clock has six digits; a seventh is cut off, so that no event moves into the future.
    try:
        return datetime.fromisoformat(f"{cell[:19]}.{(fraction or '0')[:6]:0<6}{zone or 'Z'}")
    except ValueError as error:
        raise MalformedRecord(str(error).capitalize(), field=COLUMNS[0]) from None
