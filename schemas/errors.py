"""The one exception tree. The class of an error *is* the decision about it.

::

    StillwatchError
    ├── Retryable              try the same thing again, later
    │   ├── BusUnavailable       the Kafka cluster does not answer
    │   └── StoreUnavailable     the ClickHouse store does not answer or is overloaded
    ├── Rejected               this record is bad; dead-letter it and go on with the next
    │   ├── MalformedRecord      cannot be read as what its topic promises
    │   └── ImplausibleRecord    reads well, but cannot be true (a time in the far future)
    └── Fatal                  going on would do harm; stop the process
        ├── InvalidSetting       a setting is wrong: names the setting and the fix
        ├── MissingDependency    a program or file the setting asks for is not there
        └── IncompatibleState    stored state was written with other parameters

Code that catches an error branches on one of the three middle classes, never on message text.
"""

from __future__ import annotations


class StillwatchError(Exception):
    """Root of every error that Stillwatch raises on purpose."""


class Retryable(StillwatchError):
    """The operation may succeed if repeated unchanged. Raised by I/O only."""


class BusUnavailable(Retryable):
    """No broker answered within the time allowed."""


class StoreUnavailable(Retryable):
    """The store did not take the request now (down, overloaded, too many parts)."""


class Rejected(StillwatchError):
    """One input record cannot be used; it belongs on the dead-letter topic.

    Args:
        reason: what is wrong, for a person, e.g. ``Expected `int` >= 0``.
        field: dotted name of the offending field, or ``None`` where the record as a whole is at fault.
    """

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


class MalformedRecord(Rejected):
    """The bytes do not decode to the type the topic promises."""


class ImplausibleRecord(Rejected):
    """The record decodes, but a value cannot be true."""


class Fatal(StillwatchError):
    """Continuing would corrupt state or mislead the user; end the process with this message."""


class InvalidSetting(Fatal):
    """A setting is wrong.

    Args:
        setting: name as the user writes it, e.g. ``bus.url``.
        problem: what is wrong with the present value.
        fix: what to write or run instead.
    """

    def __init__(self, setting: str, problem: str, fix: str) -> None:
        super().__init__(f"{setting}: {problem}. {fix}")
        self.setting = setting
        self.problem = problem
        self.fix = fix


class MissingDependency(Fatal):
    """A program or file outside Python is absent. ``fix`` says how to get it or do without it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}. {fix}")
        self.what = what
        self.fix = fix


class IncompatibleState(Fatal):
    """Stored state carries another parameter hash or version than this program's."""
