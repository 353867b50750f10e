"""From what gateways send to `RequestEvent`: one module per format, named as in `schemas.topics.RAW_FORMATS`.

An adapter turns the bytes of one raw record into a `RequestEvent` (a `NativeRecord` where raw text came
along, which INGEST fingerprints and drops), into ``None`` where the record carries no request by design
(a CSV header), or raises `schemas.errors.MalformedRecord` that names the field at fault.
"""
