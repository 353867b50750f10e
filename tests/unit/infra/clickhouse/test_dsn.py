"""A DSN is understood or refused in words that help, and never gives its password away."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.clickhouse.dsn import EmbeddedDsn, ServerDsn, parse
from schemas.errors import InvalidSetting


def test_forms() -> None:
    assert parse("chdb:///var/lib/x") == EmbeddedDsn(Path("/var/lib/x"), "stillwatch")
    assert parse("chdb:///a%20b?database=t_1") == EmbeddedDsn(Path("/a b"), "t_1")
    assert parse("http://h") == ServerDsn(False, "h", 8123, "default", "", "stillwatch")
    assert parse("https://u:p%40%23@h.example/db") == ServerDsn(True, "h.example", 8443, "u", "p@#", "db")
    assert parse("http://u@[::1]:99/").host == "::1"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("clickhouse://h/db", "unknown scheme 'clickhouse'"),
        ("/just/a/path", "unknown scheme ''"),
        ("chdb://relative/path", "needs an absolute path"),
        ("chdb:///", "needs an absolute path"),
        ("chdb:///x?readonly=1", "unknown option 'readonly'"),
        ("chdb:///x?database=a;b", "'a;b' is no database name"),
        ("http:///db", "no host"),
        ("http://h:port/db", "host and port cannot be read"),
        ("http://h/db`; DROP", "is no database name"),
        ("http://u:se?cret@h/db", "host and port cannot be read"),
        ("http://u:p@h/db?x=1", "options after ?"),
    ],
)
def test_mistakes_are_named_with_a_fix(text: str, problem: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse(text)
    assert caught.value.setting == "store.dsn"
    assert problem in caught.value.problem
    assert caught.value.fix


def test_passwords_are_not_printed() -> None:
    assert "secret" not in str(parse("http://u:secret@h/db"))
    for text in ("http://u:secret@h/db?x=1", "http://u:secret?b@h/db", "http://u:a#secret@h/db", "http://u:secret/@h"):
        with pytest.raises(InvalidSetting) as caught:
            parse(text)
        assert "secret" not in str(caught.value), text
