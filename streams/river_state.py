"""River models to bytes and back.

River's own pickles are compact (0.2 to 1.9 kB), but unpickling runs whatever the bytes name. State
comes from a topic, so only classes of river and the few builtins they need are allowed.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from schemas.errors import IncompatibleState

_ALLOWED = {
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
    ("builtins", "getattr"),
    ("builtins", "tuple"),
    ("collections", "defaultdict"),
    ("collections", "deque"),
    ("functools", "partial"),
    ("random", "Random"),
}


class _RiverUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "river" or (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise IncompatibleState(f"stored river state names {module}.{name}, which is not river's")


def dump(model: Any) -> bytes:
    """A river model, or a list of them, as bytes."""
    return pickle.dumps(model, protocol=5)


def load(data: bytes) -> Any:
    """Inverse of `dump`.

    Raises:
        IncompatibleState: the bytes are no river state.
    """
    try:
        return _RiverUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, TypeError) as error:
        raise IncompatibleState(f"stored river state cannot be read: {error}") from error
