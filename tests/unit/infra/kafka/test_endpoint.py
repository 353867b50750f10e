"""An endpoint is alive exactly while the broker's process is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infra.kafka import endpoint
from infra.kafka.endpoint import Endpoint
from schemas.errors import InvalidSetting

HERE = Endpoint(bootstrap="127.0.0.1:9092", pid=4711)


def test_absent_where_nothing_ever_ran(tmp_path: Path) -> None:
    assert endpoint.read(tmp_path / "never") is None
    assert not (tmp_path / "never").exists()


def test_present_while_another_process_holds_the_folder(tmp_path: Path) -> None:
    lock = endpoint.acquire(tmp_path, 0)
    holder = subprocess.Popen(["sleep", "60"], pass_fds=[lock])
    os.close(lock)
    try:
        endpoint.write(tmp_path, HERE)
        assert endpoint.read(tmp_path) == HERE
        with pytest.raises(InvalidSetting, match="process 4711") as raised:
            endpoint.acquire(tmp_path, 0)
        assert raised.value.setting == "data_dir"
    finally:
        holder.kill()
        holder.wait()
    assert endpoint.read(tmp_path) is None
    os.close(endpoint.acquire(tmp_path, 0))


@pytest.mark.parametrize("content", [b"", b"{", b'{"bootstrap": 1}', b"[]"])
def test_a_damaged_file_is_no_endpoint(tmp_path: Path, content: bytes) -> None:
    lock = endpoint.acquire(tmp_path, 0)
    (tmp_path / "endpoint.json").write_bytes(content)
    assert endpoint.read(tmp_path) is None
    os.close(lock)


def test_remove_is_repeatable(tmp_path: Path) -> None:
    endpoint.write(tmp_path, HERE)
    endpoint.remove(tmp_path)
    endpoint.remove(tmp_path)
    assert not (tmp_path / "endpoint.json").exists()
