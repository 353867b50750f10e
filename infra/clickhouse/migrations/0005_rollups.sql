-- Which accounts share a template, a card, a device, an address? Answered without a scan of `requests`.
--
-- Every aggregate here is idempotent (distinct counts, extremes), never a sum: a request that reaches
-- `requests` twice changes nothing. Distinct counts are estimates, about 1 % for accounts (uniqCombined64).
CREATE TABLE IF NOT EXISTS template_hours
(
    tenant_id LowCardinality(String),
    fingerprint_id LowCardinality(String),
    template_hash UInt64,
    hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    accounts AggregateFunction(uniqCombined64, String),
    requests AggregateFunction(uniqCombined64(12), String),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant_id, fingerprint_id, template_hash, hour)
TTL stored_at + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS template_hours_feed TO template_hours AS
SELECT
    tenant_id,
    fingerprint_id,
    template_hash,
    toStartOfHour(toDateTime(time, 'UTC')) AS hour,
    uniqCombined64State(account_id) AS accounts,
    uniqCombined64State(12)(event_id) AS requests,
    max(requests.stored_at) AS stored_at
FROM requests
WHERE template_hash != 0
GROUP BY tenant_id, fingerprint_id, template_hash, hour;

-- kind: payment, device, network, tls, email_domain (value: the *_hash column; tls: xxh3(tls_fingerprint)),
-- or asn (value: its number).
CREATE TABLE IF NOT EXISTS link_hours
(
    tenant_id LowCardinality(String),
    kind LowCardinality(String),
    value UInt64,
    hour DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    accounts AggregateFunction(uniqCombined64, String),
    requests AggregateFunction(uniqCombined64(12), String),
    stored_at SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (tenant_id, kind, value, hour)
TTL stored_at + toIntervalDay(30)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS link_hours_feed TO link_hours AS
SELECT
    tenant_id,
    link.1 AS kind,
    link.2 AS value,
    toStartOfHour(toDateTime(time, 'UTC')) AS hour,
    uniqCombined64State(account_id) AS accounts,
    uniqCombined64State(12)(event_id) AS requests,
    max(requests.stored_at) AS stored_at
FROM requests
ARRAY JOIN
    [
        ('payment', payment_hash),
        ('device', device_hash),
        ('network', client_network_hash),
        ('tls', if(tls_fingerprint = '', 0, xxh3(tls_fingerprint))),
        ('asn', client_asn),
        ('email_domain', email_domain_hash)
    ] AS link
WHERE value != 0
GROUP BY tenant_id, kind, value, hour;
