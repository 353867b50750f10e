"""`ChildProcess`: a program that ends when this process ends, however this process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_ASK_TO_DIE_WITH_PARENT = """
import os, signal, sys
parent, *program = sys.argv[1:]
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
except (AttributeError, ImportError, OSError):
    pass
if os.getppid() != int(parent):
    sys.exit("the parent ended first")
try:
    os.execvp(program[0], program)
except OSError as error:
    print(f"{program[0]}: {error.strerror}", file=sys.stderr)
    sys.exit(127)
"""
"""Run between fork and the program: ``prctl(PR_SET_PDEATHSIG, SIGTERM)``, see prctl(2). It survives exec,
so the program keeps both the request and the process id. A program of its own instead of ``preexec_fn``,
which may deadlock where this process has threads. Without prctl (not Linux) the program just starts."""


class ChildProcess:
    """A running program.

    The kernel ties "dies with its parent" to the *thread* that forked, so a thread of its own starts the
    program and lives exactly as long as it.

    The program gets a session of its own: an interrupt from the terminal reaches us alone, and we stop the
    program when its turn comes.

    Args:
        program: path and arguments.
        output: file that receives standard output and error; begun anew.
        environment: variables on top of ours.
        keep: file descriptors that the program inherits.

    A program that is not there ends with exit code 127, as in a shell, and says so in its output.

    Raises:
        OSError: no process can be started, or `output` cannot be written.
    """

    def __init__(
        self,
        program: Sequence[str | os.PathLike[str]],
        *,
        output: Path,
        environment: Mapping[str, str] | None = None,
        keep: Sequence[int] = (),
    ) -> None:
        self._argv = [sys.executable, "-I", "-S", "-c", _ASK_TO_DIE_WITH_PARENT, str(os.getpid())]
        self._argv += [os.fspath(part) for part in program]
        self._output = output
        self._environment = {**os.environ, **(environment or {})}
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None
        self._failure: OSError | None = None
        self._started = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name=f"child {program[0]}", daemon=True).start()
        self._started.wait()
        if self._process is None:
            raise self._failure or OSError("the program did not start")
        self.pid: int = self._process.pid

    def _run(self) -> None:
        try:
            with self._output.open("wb") as output:
                self._process = subprocess.Popen(
                    self._argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    pass_fds=self._keep,
                    start_new_session=True,
                )
        except OSError as error:
            self._failure = error
            return
        finally:
            self._started.set()
        self._process.wait()
        self._ended.set()

    @property
    def exit_code(self) -> int | None:
        """`None` while it runs; negative: the signal that ended it."""
        return self._process.returncode if self._process and self._ended.is_set() else None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether the program has ended, after waiting for that at most `timeout_s`."""
        return self._ended.wait(timeout_s)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where the program has ended already."""
        if self._process is not None and not self._ended.is_set():
            self._process.send_signal(number)

    def stop(self, timeout_s: float) -> bool:
        """SIGTERM, then SIGKILL after `timeout_s`. Returns whether SIGTERM was enough."""
        self.signal(signal.SIGTERM)
        if self.wait(timeout_s):
            return True
        self.signal(signal.SIGKILL)
        self.wait()
        return False
