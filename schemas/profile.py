"""`AccountWindow`: the closed window of one account, as written to ClickHouse and to profile files.

Topic ``stillwatch.profiles.v1``, key ``tenant_id:account_id``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]


class AccountWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What one account did in ``[window_start, window_start + window_s)``, event time.

    A window is emitted when the watermark passes its end. A later event for it (late, but still inside
    the account's bucket ring) emits it again with a higher `revision`; readers keep the highest.
    """

    tenant_id: str
    account_id: str
    window_start: Annotated[datetime, Meta(tz=True)]
    window_s: Count
    revision: Count = 0
    requests: Count = 0
    failures: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    scores: dict[str, float] = {}
    """Detector name to score at close, for the detectors that looked at this window."""

    @property
    def account_key(self) -> str:
        return f"{self.tenant_id}:{self.account_id}"


_decoder = msgspec.json.Decoder(AccountWindow)
_encoder = msgspec.json.Encoder()


def decode_profile(data: bytes) -> AccountWindow:
    """JSON to window. Raises `msgspec.DecodeError` (or its subclass `ValidationError`)."""
    return _decoder.decode(data)


def encode_profile(profile: AccountWindow) -> bytes:
    """Window to JSON."""
    return _encoder.encode(profile)
