"""The slice of MITRE ATLAS that findings refer to: techniques, their tactic, and mitigations.

Source: MITRE ATLAS data, version 5.6.0 (https://atlas.mitre.org, repository ``mitre-atlas/atlas-data``).
Only names and relations are kept. A detector names techniques by id; `technique` is how it is checked.
"""

from __future__ import annotations

import msgspec

from schemas.errors import Fatal

ATLAS_VERSION = "5.6.0"
_SITE = "https://atlas.mitre.org"


class Tactic(msgspec.Struct, frozen=True):
    """Why an adversary does something."""

    id: str
    name: str


class Mitigation(msgspec.Struct, frozen=True):
    """What an operator can do about it."""

    id: str
    name: str

    @property
    def url(self) -> str:
        return f"{_SITE}/mitigations/{self.id}"


class Technique(msgspec.Struct, frozen=True):
    """How an adversary does it. A sub-technique carries the tactic of its parent."""

    id: str
    name: str
    tactic: Tactic
    mitigations: tuple[Mitigation, ...] = ()
    parent_id: str | None = None

    @property
    def url(self) -> str:
        return f"{_SITE}/techniques/{self.id}"


MODEL_ACCESS = Tactic("AML.TA0000", "AI Model Access")
STAGING = Tactic("AML.TA0001", "AI Attack Staging")
RESOURCES = Tactic("AML.TA0003", "Resource Development")
INITIAL_ACCESS = Tactic("AML.TA0004", "Initial Access")
DISCOVERY = Tactic("AML.TA0008", "Discovery")
EXFILTRATION = Tactic("AML.TA0010", "Exfiltration")
IMPACT = Tactic("AML.TA0011", "Impact")

OBFUSCATE_OUTPUT = Mitigation("AML.M0002", "Passive AI Output Obfuscation")
RESTRICT_QUERIES = Mitigation("AML.M0004", "Restrict Number of AI Model Queries")
CONTROL_ACCESS = Mitigation("AML.M0019", "Control Access to AI Models and Data in Production")
LOG_TELEMETRY = Mitigation("AML.M0024", "AI Telemetry Logging")

_EXTRACTION = (RESTRICT_QUERIES, LOG_TELEMETRY, OBFUSCATE_OUTPUT)

TECHNIQUES: dict[str, Technique] = {
    t.id: t
    for t in (
        Technique("AML.T0005", "Create Proxy AI Model", STAGING),
        Technique("AML.T0005.001", "Train Proxy via Replication", STAGING, parent_id="AML.T0005"),
        Technique("AML.T0008", "Acquire Infrastructure", RESOURCES),
        Technique("AML.T0008.005", "AI Service Proxies", RESOURCES, parent_id="AML.T0008"),
        Technique("AML.T0012", "Valid Accounts", INITIAL_ACCESS),
        Technique("AML.T0021", "Establish Accounts", RESOURCES),
        Technique(
            "AML.T0024", "Exfiltration via AI Inference API", EXFILTRATION, (CONTROL_ACCESS, *_EXTRACTION)
        ),
        Technique(
            "AML.T0024.000", "Infer Training Data Membership", EXFILTRATION, _EXTRACTION, "AML.T0024"
        ),
        Technique("AML.T0024.001", "Invert AI Model", EXFILTRATION, _EXTRACTION, "AML.T0024"),
        Technique("AML.T0024.002", "Extract AI Model", EXFILTRATION, _EXTRACTION, "AML.T0024"),
        Technique("AML.T0034", "Cost Harvesting", IMPACT),
        Technique("AML.T0040", "AI Model Inference API Access", MODEL_ACCESS, (CONTROL_ACCESS,)),
        Technique("AML.T0048", "External Harms", IMPACT),
        Technique("AML.T0048.004", "AI Intellectual Property Theft", IMPACT, parent_id="AML.T0048"),
        Technique("AML.T0056", "Extract LLM System Prompt", EXFILTRATION),
        Technique("AML.T0065", "LLM Prompt Crafting", RESOURCES),
        Technique("AML.T0069", "Discover LLM System Information", DISCOVERY),
    )
}


def technique(technique_id: str) -> Technique:
    """The technique of that id.

    >>> technique("AML.T0024.002").name
    'Extract AI Model'
    >>> technique("AML.T0024.002").tactic.name
    'Exfiltration'

    Raises:
        Fatal: the id is not in this slice; a detector that names it must not start.
    """
    try:
        return TECHNIQUES[technique_id]
    except KeyError:
        known = ", ".join(TECHNIQUES)
        raise Fatal(
            f"unknown MITRE ATLAS technique {technique_id!r}; known in {ATLAS_VERSION}: {known}. "
            "Add it to schemas/atlas.py if ATLAS has it"
        ) from None
