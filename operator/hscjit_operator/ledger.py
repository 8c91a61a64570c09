"""What did the autopilot do or refuse, when, and why? A bounded list of frozen entries.

An entry is made when (action, target, reason, refusal) is new; the same again within an episode
is a repeat of that entry. So a standing refusal is one entry with a count, however long it stands,
and reasons that take turns make one entry each.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hscjit_operator.model.autopilot import Decision
from hscjit_operator.model.samples import Metrics

EPISODE_S = 600.0
"""What was not decided for this long, and then is, is news again."""
MAX_ENTRIES = 100
MAX_EVIDENCE = 10
"""Only the newest entries keep their evidence."""
MAX_LOG = 4096
"""Characters of log kept as evidence, the last ones."""
MAX_TEXT = 240 * 1024
"""Characters of the whole ledger; a ConfigMap holds 1 MiB."""

_CONTROL = re.compile(r"[^\n\t\x20-\uffff]")
_SECRETS = (
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), r"\1:***@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 ***"),
    (
        re.compile(r"(?i)((?:password|token|secret|api_?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"',}]+"),
        r"\1***",
    ),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision or refusal, and what became of it. Instants are seconds since the epoch."""

    decision: Decision
    first: float
    last: float
    repeats: int = 0
    outcome: str = ""
    """Helped, HelpedNothing, NoData, or how the eviction ended; empty until known."""
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """All entries, the oldest first."""

    entries: tuple[Entry, ...] = ()
    older: tuple[Mapping[str, Any], ...] = ()
    """Entries of an operator before this one, as they were written."""


def record(ledger: Ledger, decision: Decision, now: float) -> tuple[Ledger, bool]:
    """Return the ledger with a decision in it, and whether that is news."""
    key = _key(decision)
    for at in range(len(ledger.entries) - 1, -1, -1):
        entry = ledger.entries[at]
        if _key(entry.decision) == key and 0 <= now - entry.last < EPISODE_S:
            again = replace(entry, last=now, repeats=entry.repeats + 1)
            entries = (*ledger.entries[:at], again, *ledger.entries[at + 1 :])
            return replace(ledger, entries=entries), False
    entries = (*ledger.entries, Entry(decision, now, now))
    older = ledger.older
    if len(entries) + len(older) > MAX_ENTRIES:
        older = older[len(entries) + len(older) - MAX_ENTRIES :] if older else ()
        entries = entries[-MAX_ENTRIES:]
    keep_from = len(entries) - MAX_EVIDENCE
    entries = tuple(
        replace(entry, evidence=None) if at < keep_from and entry.evidence else entry
        for at, entry in enumerate(entries)
    )
    return Ledger(entries, older), True


def amend(
    ledger: Ledger,
    decision: Decision,
    *,
    outcome: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Ledger:
    """Return the ledger with what became of a decision, at its newest entry."""
    key = _key(decision)
    for at in range(len(ledger.entries) - 1, -1, -1):
        entry = ledger.entries[at]
        if _key(entry.decision) == key:
            amended = replace(
                entry,
                outcome=entry.outcome if outcome is None else outcome,
                evidence=entry.evidence if evidence is None else evidence,
            )
            entries = (*ledger.entries[:at], amended, *ledger.entries[at + 1 :])
            return replace(ledger, entries=entries)
    return ledger


def evidence(log: str, metrics: Metrics | None) -> dict[str, Any]:
    """Return what is kept of a pod before it goes: the end of its log, its last numbers."""
    # Masked before the last cut: half a secret at its edge would no longer look like one.
    log = _CONTROL.sub("", log[-2 * MAX_LOG :])
    for secret, mask in _SECRETS:
        log = secret.sub(mask, log)
    numbers = (
        {
            "connections": metrics.connections,
            "inFlight": metrics.inflight,
            "requests": metrics.requests,
            "errors": metrics.errors,
            "eventLoopLagSeconds": metrics.loop_lag,
            "memoryBytes": metrics.memory,
            "processStart": metrics.process_start,
            "heartbeat": metrics.heartbeat,
            "taskStarted": metrics.task_started,
        }
        if metrics
        else {}
    )
    return {
        "log": log[-MAX_LOG:],
        "metrics": {name: value for name, value in numbers.items() if value is not None},
    }


def summary(decision: Decision, at: float) -> dict[str, Any]:
    """Return a decision as `status.autopilot.lastDecision` and the ledger show it."""
    shown: dict[str, Any] = {
        "time": rfc3339(at),
        "action": str(decision.action),
        "target": decision.target,
        "reason": decision.reason,
        "inputs": {name: _plain(value) for name, value in sorted(decision.inputs.items())},
    }
    if decision.refused_because is not None:
        shown["refusedBecause"] = decision.refused_because
    if decision.mode != "Act":
        shown["mode"] = decision.mode
    return shown


def render(ledger: Ledger) -> str:
    """Return the ledger as JSON, one entry a line, the newest last, within its bound."""
    shown = [*ledger.older, *(_entry(entry) for entry in ledger.entries)]
    lines = [json.dumps(entry, separators=(",", ":"), ensure_ascii=False) for entry in shown]
    size = sum(len(line) + 2 for line in lines)
    dropped = 0
    while size > MAX_TEXT:
        size -= len(lines[dropped]) + 2
        dropped += 1
    return "[\n" + ",\n".join(lines[dropped:]) + "\n]\n"


def load(text: str | None) -> Ledger:
    """Read a ledger that another operator wrote; what cannot be read is begun anew."""
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        return Ledger()
    if not isinstance(entries, list):
        return Ledger()
    return Ledger(older=tuple(e for e in entries if isinstance(e, dict))[-MAX_ENTRIES:])


def evictions(ledger: Ledger) -> list[tuple[float, str, str]]:
    """Return when earlier operators evicted which pod and why: budgets outlive a restart."""
    found = []
    for entry in ledger.older:
        if entry.get("action") != "Evict" or "refusedBecause" in entry or "mode" in entry:
            continue
        try:
            at = datetime.fromisoformat(str(entry.get("time"))).timestamp()
        except ValueError:
            continue
        found.append((at, str(entry.get("target")), str(entry.get("reason"))))
    return found


def rfc3339(at: float) -> str:
    """Return an instant as Kubernetes writes it, in whole seconds."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _key(decision: Decision) -> tuple[str, ...]:
    refused = decision.refused_because or ""
    return (decision.action, decision.target, decision.reason, refused, decision.mode)


def _entry(entry: Entry) -> dict[str, Any]:
    decision = entry.decision
    shown = summary(decision, entry.first)
    if decision.refused_because is None:
        shown["expected"] = decision.expected
        shown["deadline"] = rfc3339(decision.deadline)
    if entry.repeats:
        shown["repeats"] = entry.repeats
        shown["lastTime"] = rfc3339(entry.last)
    if entry.outcome:
        shown["outcome"] = entry.outcome
    if entry.evidence:
        shown["evidence"] = dict(entry.evidence)
    return shown


def _plain(value: float | str) -> float | int | str:
    """Return a whole number as an integer: 5, not 5.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
