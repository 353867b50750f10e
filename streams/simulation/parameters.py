"""Constants of the simulated traffic that were fitted to public traces, with how each was fitted.

What no public trace can tell (kinds of accounts, their shares, identities) is ours and stands in `habits`
and `identity`. The fits are the functions in `fit`; a test repeats them where the traces are at hand.

Traces:
    ServeGen: rates and lengths of production LLM customers; here the 314 *language* clients, 14 days in
        slots of 10 minutes (alibaba/ServeGen, Apache-2.0; arXiv:2505.09999).
    Azure: one hour of a conversation and of a code service (AzurePublicDataset 2023, CC-BY-4.0).
    Mooncake: one hour of a chat service with prefix blocks (kvcache-ai/Mooncake, Apache-2.0).
"""

from __future__ import annotations

from streams.simulation.fit import LogNormal, Wander

# ---- arrivals (ServeGen) ------------------------------------------------------------------------------

CLIENT_RATE_LOG_SIGMA = 2.300
"""Spread of customers' mean request rates: standard deviation of the log rate around the mean of the
customer's model (`fit.pooled_log_sigma`). The trace holds a provider's largest customers only, so the
level of rates is not taken from it."""

CLIENT_CV = LogNormal(0.458, 0.631)
"""Coefficient of variation of gaps between requests: the mean log CV of a customer's active slots,
across customers active in at least 30 % of slots. Median 1.6, above 1 for three customers in four."""

GAMMA_SHARE = 0.755
"""Share of active slots whose gaps ServeGen fits by a Gamma distribution; Weibull otherwise."""

DAY_PROFILE = (
    0.880, 0.852, 0.828, 0.741, 0.652, 0.555, 0.632, 0.763, 0.833, 1.073, 1.230, 1.292,
    1.114, 1.164, 1.152, 1.127, 1.199, 1.284, 1.205, 1.108, 1.138, 1.101, 1.041, 1.036,
)  # fmt: skip
"""Rate by hour of the day relative to its mean, median over customers (`fit.day_profile`)."""

WANDER = Wander(1.139, 0.656)
"""How a customer's hourly rate moves around its own daily course (`fit.wander`): median over customers of
the standard deviation of the log ratio, and of its correlation from hour to hour. Large: real customers
double and halve within hours."""

# ---- token lengths (ServeGen customers, Azure services) -----------------------------------------------

CLIENT_INPUT = LogNormal(6.183, 1.184)
"""Median input length of a customer, across customers; tokens."""
CLIENT_INPUT_WITHIN = 0.565
"""Sigma of input lengths within a customer: from its 10 % and 90 % quantiles, median over customers."""
CLIENT_OUTPUT = LogNormal(3.742, 1.790)
"""Median output length of a customer, across customers; tokens."""
CLIENT_OUTPUT_WITHIN = 0.795
"""Sigma of output lengths within a customer."""
REASONING_OUTPUT = LogNormal(6.427, 0.737)
"""Median output length of a customer of the reasoning model, across 73 customers; tokens."""
REASONING_OUTPUT_WITHIN = 0.474

CHAT_INPUT = LogNormal(6.633, 0.985)
"""Input tokens of a chat request, history included: moments of the log over the Azure *conv* trace."""
CHAT_OUTPUT = LogNormal(5.019, 0.859)
COMPLETION_INPUT = LogNormal(6.999, 1.360)
"""Input tokens of a code completion: moments of the log over the Azure *code* trace."""
COMPLETION_OUTPUT = LogNormal(2.788, 0.847)

# ---- conversations (Mooncake) -------------------------------------------------------------------------

TURN_TAIL = 2.311
"""Turns of a conversation: P(turns >= t) = t**-TURN_TAIL (`fit.turn_tail`), from conversations recovered
by shared prefixes (`fit.conversation_turns`). One in five has a second turn; the tail is heavy, and cut
short a little by the trace's single hour."""
THINK_S = LogNormal(4.870, 0.982)
"""Seconds between two requests of one conversation, answering and reading included: median 130 s."""
TURN_GROWTH = LogNormal(6.291, 1.444)
"""Input tokens that a turn adds to the one before it, of turns that add any: median 540."""
