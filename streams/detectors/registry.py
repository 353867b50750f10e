"""All account detectors, by name. Adding one is: a file beside this one, and a line here."""

from __future__ import annotations

from streams.detectors.burst import Burst
from streams.detectors.cadence import Cadence
from streams.detectors.capability import Capability
from streams.detectors.coverage import Coverage
from streams.detectors.detector import Detector
from streams.detectors.drift import Drift
from streams.detectors.harvest import Harvest
from streams.detectors.novelty import Novelty
from streams.detectors.pivot import Pivot
from streams.detectors.ramp import Ramp
from streams.detectors.reasoning import Reasoning
from streams.detectors.shift import Shift
from streams.detectors.template import Template

DETECTORS: tuple[type[Detector], ...] = (
    Burst, Drift, Template, Cadence, Capability, Reasoning, Harvest, Pivot, Ramp, Shift, Coverage, Novelty,
)  # fmt: skip


def build() -> tuple[Detector, ...]:
    """A fresh instance of every detector, in a fixed order.

    >>> [detector.name for detector in build()][:4]
    ['burst', 'drift', 'template', 'cadence']
    """
    return tuple(kind() for kind in DETECTORS)
