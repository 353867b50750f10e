"""Worker status files."""

from __future__ import annotations

from pathlib import Path

from agents.status import WorkerStatus, read_statuses, remove_status, write_status


def test_live_workers_are_listed_and_stale_ones_are_not(tmp_path: Path) -> None:
    write_status(tmp_path, WorkerStatus(pid=2, time=1000, state="running", events=7))
    write_status(tmp_path, WorkerStatus(pid=1, time=1001, state="running"))
    write_status(tmp_path, WorkerStatus(pid=3, time=900, state="running"))
    (tmp_path / "workers" / "4.json").write_text("{half")
    assert [status.pid for status in read_statuses(tmp_path, now_s=1002)] == [1, 2]
    remove_status(tmp_path, 2)
    remove_status(tmp_path, 2)
    assert [status.pid for status in read_statuses(tmp_path, now_s=1002)] == [1]


def test_a_folder_without_workers_is_no_error(tmp_path: Path) -> None:
    assert read_statuses(tmp_path / "nothing") == []
