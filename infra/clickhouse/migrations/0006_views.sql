-- For analysts. The *_current views hold each thing once, exactly, whatever was delivered twice.
CREATE VIEW IF NOT EXISTS requests_current AS SELECT * FROM requests FINAL;

CREATE VIEW IF NOT EXISTS account_windows_current AS SELECT * FROM account_windows FINAL;

CREATE VIEW IF NOT EXISTS dead_letters_current AS SELECT * FROM dead_letters FINAL;

CREATE VIEW IF NOT EXISTS verdicts_current AS SELECT * EXCEPT (version, withdrawn) FROM verdicts FINAL;

-- Every lifecycle message, once.
CREATE VIEW IF NOT EXISTS finding_messages AS SELECT * FROM findings FINAL;

-- The latest message of every finding, with when its first one was raised and what analysts say of it.
CREATE VIEW IF NOT EXISTS findings_current AS
SELECT message.*, said.verdict AS verdict
FROM
(
    SELECT *, min(time) OVER finding AS raised_at
    FROM findings FINAL
    WINDOW finding AS (PARTITION BY tenant_id, finding_id)
    QUALIFY sequence = max(sequence) OVER finding
) AS message
LEFT JOIN
(
    SELECT finding_id, argMax(verdict, time) AS verdict FROM verdicts FINAL GROUP BY finding_id
) AS said ON message.finding_id = said.finding_id;

-- Members by a finding's latest message; whom it has dropped since is in `finding_members` alone.
CREATE VIEW IF NOT EXISTS finding_members_current AS
SELECT tenant_id, finding_id, account_id, first_named
FROM
(
    SELECT tenant_id, finding_id, account_id, first_named, last_sequence FROM finding_members FINAL
) AS member
INNER JOIN
(
    SELECT tenant_id, finding_id, max(sequence) AS last_sequence FROM findings GROUP BY tenant_id, finding_id
) AS latest USING (tenant_id, finding_id, last_sequence);

-- Completed answers that went to the members of a finding, in its episode and before anybody was told.
CREATE VIEW IF NOT EXISTS leaked_answers AS
SELECT
    finding.tenant_id AS tenant_id,
    finding.finding_id AS finding_id,
    any(finding.subject_id) AS subject_id,
    any(finding.raised_at) AS raised_at,
    countIf(request.time <= finding.raised_at) AS answers_before_finding,
    count() AS answers,
    sumIf(request.output_tokens, request.time <= finding.raised_at) AS output_tokens_before_finding,
    sum(request.output_tokens) AS output_tokens,
    uniqExact(request.account_id) AS accounts
FROM
(
    SELECT tenant_id, account_id, time, output_tokens
    FROM requests FINAL
    WHERE status = 'success'
      AND (tenant_id, account_id) IN (SELECT tenant_id, account_id FROM finding_members)
) AS request
INNER JOIN finding_members_current AS member
    ON request.tenant_id = member.tenant_id AND request.account_id = member.account_id
INNER JOIN findings_current AS finding
    ON member.tenant_id = finding.tenant_id AND member.finding_id = finding.finding_id
WHERE request.time >= finding.first_seen AND request.time <= finding.last_seen
GROUP BY tenant_id, finding_id;

-- What happened to an account, in order. Ask with WHERE account_id = '...' ORDER BY time.
CREATE VIEW IF NOT EXISTS account_timeline AS
SELECT
    tenant_id,
    account_id,
    toDateTime64(window_start, 3, 'UTC') AS time,
    'window' AS kind,
    format('{} s: {} requests ({} failed), {} tokens in, {} out',
           toString(window_s), toString(requests), toString(failures),
           toString(input_tokens), toString(output_tokens)) AS what,
    '' AS finding_id
FROM account_windows FINAL
UNION ALL
SELECT
    message.tenant_id AS tenant_id,
    member.account_id AS account_id,
    message.time AS time,
    'finding' AS kind,
    format('{} {} ({}): {}', toString(message.lifecycle), toString(message.detector),
           toString(message.severity), message.title) AS what,
    message.finding_id AS finding_id
FROM (SELECT tenant_id, finding_id, account_id FROM finding_members GROUP BY tenant_id, finding_id, account_id) AS member
INNER JOIN (SELECT * FROM findings FINAL) AS message
    ON member.tenant_id = message.tenant_id AND member.finding_id = message.finding_id
UNION ALL
SELECT
    member.tenant_id AS tenant_id,
    member.account_id AS account_id,
    said.time AS time,
    'verdict' AS kind,
    format('{} says {}: {}', said.analyst, toString(said.verdict), said.note) AS what,
    said.finding_id AS finding_id
FROM (SELECT tenant_id, finding_id, account_id FROM finding_members GROUP BY tenant_id, finding_id, account_id) AS member
INNER JOIN (SELECT * FROM verdicts FINAL) AS said ON member.finding_id = said.finding_id;

-- Accounts behind each template and each link, over all that is kept. For one span of time, ask the tables:
--   SELECT kind, value, uniqCombined64Merge(accounts) AS n FROM link_hours
--   WHERE hour >= now() - INTERVAL 1 DAY GROUP BY kind, value ORDER BY n DESC LIMIT 20
CREATE VIEW IF NOT EXISTS template_spread AS
SELECT
    tenant_id, fingerprint_id, template_hash,
    uniqCombined64Merge(accounts) AS account_count,
    uniqCombined64Merge(12)(requests) AS request_count,
    min(hour) AS first_hour, max(hour) AS last_hour
FROM template_hours
GROUP BY tenant_id, fingerprint_id, template_hash;

CREATE VIEW IF NOT EXISTS link_spread AS
SELECT
    tenant_id, kind, value,
    uniqCombined64Merge(accounts) AS account_count,
    uniqCombined64Merge(12)(requests) AS request_count,
    min(hour) AS first_hour, max(hour) AS last_hour
FROM link_hours
GROUP BY tenant_id, kind, value;

-- How well a detector does, by the analysts' word.
CREATE VIEW IF NOT EXISTS detector_verdicts AS
SELECT
    tenant_id,
    detector,
    count() AS findings,
    countIf(verdict IN ('true_positive', 'security_risk')) AS confirmed,
    countIf(verdict IN ('false_positive', 'benign')) AS refuted,
    countIf(verdict = '') AS unjudged
FROM findings_current
GROUP BY tenant_id, detector;
