"""Why a JSON record cannot be used, and which field is to blame.

Decoders say *what* is wrong; a person who has to mend a sender needs to know *where*. Everything here runs
for bad records only, but for `check_unique_keys`, which runs for each and costs about 3 us.
"""

from __future__ import annotations

import re

import msgspec

from schemas.errors import MalformedRecord

_TOKENS = 65_536
"""Most JSON tokens looked at to find a field, so that a huge broken record costs little."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("?)|[{}\[\],:]', re.DOTALL)
_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"required field `([^`]+)`")
_BYTE = re.compile(r"\(byte (\d+)\)")
_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def malformed(error: Exception, payload: bytes) -> MalformedRecord:
    """Translate what a msgspec decoder raised on `payload`.

    Args:
        error: `msgspec.DecodeError`, `UnicodeDecodeError` or `RecursionError`.

    >>> bad = b'{"event_id": "e", "temperature": NaN}'
    >>> try: _ = msgspec.json.decode(bad)
    ... except msgspec.DecodeError as error: print(malformed(error, bad))
    temperature: JSON is malformed: invalid character (byte 33)
    """
    if isinstance(error, UnicodeDecodeError):
        try:
            payload.decode()
        except UnicodeDecodeError as whole:
            reason = f"Invalid UTF-8: {whole.reason} (byte {whole.start})"
            return MalformedRecord(reason, field=field_at(payload, whole.start))
        return MalformedRecord(f"Invalid UTF-8: {error.reason}")
    if isinstance(error, RecursionError):
        return MalformedRecord("Nested too deeply", field=field_at(payload, len(payload)))
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        if missing := _MISSING.search(text):
            text, inside = text.partition(" - at ")[0], _PATH.search(text)
            return MalformedRecord(text, field=".".join(filter(None, (inside and inside[1], missing[1]))))
        path = _PATH.search(text)
        field = path[1].replace("[...]", "") if path else ""
        return MalformedRecord(text[: path.start()] if path else text, field=field or None)
    if not payload.strip():
        return MalformedRecord("Empty record")
    if byte := _BYTE.search(text):
        return MalformedRecord(text, field=field_at(payload, int(byte[1])))
    if lone := _SURROGATE.search(payload):
        # The decoder calls this truncated, which would send people looking in the wrong place.
        return MalformedRecord("Unpaired surrogate escape", field=field_at(payload, lone.start()))
    return MalformedRecord(text, field=field_at(payload, len(payload)))


def field_at(payload: bytes, offset: int) -> str | None:
    """Dotted name of the JSON key whose value byte `offset` lies in, or that was the last to begin before it.

    ``None`` before the first key, or so deep in a huge record that looking would cost too much.

    >>> field_at(b'{"event_id": "e", "labels": {"team": tru', 40)
    'labels.team'
    """
    keys: list[str | None] = []
    """Current key per open object; ``None`` for an array."""
    text = b""
    for count, token in enumerate(_TOKEN.finditer(payload, 0, offset)):
        if count == _TOKENS:
            return None
        match token[0]:
            case b"{":
                keys.append("")
            case b"[":
                keys.append(None)
            case b"}" | b"]":
                if keys:
                    keys.pop()
            case b":":
                if keys and keys[-1] is not None:
                    keys[-1] = text.decode(errors="replace")
            case b",":
                pass
            case string:
                text = string[1 : -1 if token[1] else None]
    return ".".join(key for key in keys if key)[:256] or None


def check_unique_keys(payload: bytes) -> None:
    """Reject a JSON object that names a field twice, because readers differ in which one they believe.

    Args:
        payload: bytes that decode as a JSON object.

    Raises:
        MalformedRecord: names the field.

    >>> check_unique_keys(b'{"account_id": "a", "account_id": "b"}')
    Traceback (most recent call last):
    ...
    schemas.errors.MalformedRecord: account_id: Field appears more than once
    """
    kept = _raw_object.decode(payload)
    # A key ends in `":`. All of them, less those inside the values kept, must be as many as the keys kept;
    # anything unusual (a space before the colon, quotes in a key) fails this count and is looked at closely.
    marks = payload.count(b'":')
    if marks == len(kept) or marks == len(kept) + sum(bytes(value).count(b'":') for value in kept.values()):
        return
    seen: set[bytes] = set()
    depth, text = 0, b""
    for token in _TOKEN.finditer(payload):
        match token[0]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case b":":
                if depth == 1 and text in seen:
                    name = text.decode(errors="replace")[:256]
                    raise MalformedRecord("Field appears more than once", field=name)
                if depth == 1:
                    seen.add(text)
            case b",":
                pass
            case string:
                text = string[1:-1]
