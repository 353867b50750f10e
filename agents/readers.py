"""From settings to `Ingest`: the same readers in the fleet and in replay, so that both read alike."""

from __future__ import annotations

from agents.settings import Settings
from schemas.errors import InvalidSetting
from streams.ingest import Ingest


def reader(settings: Settings, format: str, *, max_future_s: int | None = None) -> Ingest:
    """Reader of one raw format under the fleet's secret, account rules and seed.

    Args:
        max_future_s: instead of the setting ``ingest.max_future_s``.

    Raises:
        InvalidSetting: the secret or its generation cannot be used.
    """
    ingest = settings.ingest
    try:
        return Ingest(
            format,
            secret=ingest.fingerprint_secret.get_secret_value().encode(),
            generation=ingest.fingerprint_generation,
            max_future_s=ingest.max_future_s if max_future_s is None else max_future_s,
            azure_accounts=ingest.azure_accounts,
            litellm_account=ingest.litellm_account,
            seed=settings.detection_config().seed,
        )
    except ValueError as error:
        if "secret" in str(error):
            raise InvalidSetting("ingest.fingerprint_secret", str(error), "Set a long random text") from error
        raise InvalidSetting("ingest.fingerprint_generation", str(error), "Use a name such as k1") from error
