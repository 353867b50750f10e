"""A child process ends when it is told to, and when its parent ends, however that ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.child_process import ChildProcess

DEAF = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]


def wait_for(file: Path, text: str) -> None:
    """Until the child has written `text`; the test's own timeout bounds the wait."""
    while text not in file.read_text():
        time.sleep(0.01)


def test_output_and_exit_code(tmp_path: Path) -> None:
    output = tmp_path / "out"
    script = "echo $GREETING; echo bad >&2; exit 3"
    child = ChildProcess(["sh", "-c", script], output=output, environment={"GREETING": "hi"})
    assert child.wait(30)
    assert child.exit_code == 3
    assert output.read_text() == "hi\nbad\n"
    child.signal(signal.SIGTERM)  # no process, no harm
    assert child.stop(0)


def test_running_has_no_exit_code_and_term_ends_it(tmp_path: Path) -> None:
    child = ChildProcess(["sleep", "60"], output=tmp_path / "out")
    assert child.exit_code is None
    assert not child.wait(0)
    assert child.stop(30)
    assert child.exit_code == -signal.SIGTERM


def test_deaf_program_is_killed(tmp_path: Path) -> None:
    child = ChildProcess(DEAF, output=tmp_path / "out")
    wait_for(tmp_path / "out", "ready")
    assert not child.stop(0.2)
    assert child.exit_code == -signal.SIGKILL


def test_missing_program_says_so(tmp_path: Path) -> None:
    child = ChildProcess(["no-such-program"], output=tmp_path / "out")
    child.wait(30)
    assert child.exit_code == 127
    assert (tmp_path / "out").read_text() == "no-such-program: No such file or directory\n"


def test_unwritable_output_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ChildProcess(["true"], output=tmp_path / "none" / "out")


def test_interrupt_from_the_terminal_passes_it_by(tmp_path: Path) -> None:
    child = ChildProcess(["sleep", "60"], output=tmp_path / "out")
    assert os.getpgid(child.pid) != os.getpgid(0)
    child.stop(30)


PARENT = """
import sys, threading, time
from pathlib import Path
from infra.child_process import ChildProcess

def start():
    child = ChildProcess(["sleep", "600"], output=Path(sys.argv[1]))
    print(child.pid, flush=True)

starter = threading.Thread(target=start)
starter.start()
starter.join()      # the thread that started it ends here; the child must not
print("running", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_child_ends_with_its_parent_and_not_with_a_thread(tmp_path: Path, end: signal.Signals) -> None:
    program = [sys.executable, "-c", PARENT, str(tmp_path / "out")]
    parent = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    assert parent.stdout.readline() == "running\n"
    assert not select.select([child], [], [], 0.2)[0], "readable once the process has ended"
    parent.send_signal(end)
    parent.wait()
    parent.stdout.close()
    assert select.select([child], [], [], 30)[0]
    os.close(child)
