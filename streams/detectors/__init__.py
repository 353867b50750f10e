"""Account detectors, one per file; see `streams.detectors.detector` for the protocol."""
