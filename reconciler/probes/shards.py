"""Results as JSON and back, and the results of all shards of a run put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from reconciler.diagnostics.messages.failures import Again
from reconciler.diagnostics.problem import Failure
from reconciler.probes.results import (
    Diagnosis,
    Facts,
    Level,
    ProbeOutcome,
    ProbeResult,
    ProbeWarning,
    Step,
)

FORMAT_VERSION = "1.0"


class Shard(NamedTuple):
    """Which part of a run this is: `number` (from 1) of `of`."""

    number: int = 1
    of: int = 1


class ShardResults(NamedTuple):
    """The results of a shard; one that was interrupted is not `complete`."""

    shard: Shard
    results: tuple[ProbeResult, ...]
    complete: bool = True


def data(result: ProbeResult) -> dict[str, Any]:
    """A result as JSON has it, without words in any language."""
    failed = result.diagnosis
    mailbox = ("protocol", "host", "port", "security", "username")
    return {
        "servers": list(result.names),
        **{name: getattr(result, name) for name in mailbox},
        "level": str(result.level),
        "outcome": result.outcome.value,
        "at": result.at,
        "seconds": round(result.seconds, 4),
        "attempts": result.attempts,
        "given_up": result.given_up,
        "steps": [
            {"name": step.name, "seconds": round(step.seconds, 4), "facts": dict(step.facts)}
            for step in result.steps
        ],
        "failure": failed
        and {
            "code": failed.code,
            "step": failed.step,
            "server_said": failed.line,
            "again": failed.again.value,
            "provider": failed.provider,
            "values": dict(failed.values),
        },
        "warnings": [
            {"code": warning.code, "values": dict(warning.values)} for warning in result.warnings
        ],
    }


def read(document: Any, name: str) -> ShardResults:
    """The results in a document; `name` is for messages. Raises `Failure` for anything else."""
    try:
        major = document["format_version"].partition(".")[0]
        shard = Shard(int(document["shard"]["number"]), int(document["shard"]["of"]))
        results = tuple(map(_result, document["results"]))
        complete = document["complete"] is True
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Failure.of("MBX850", file=name) from None
    if major != FORMAT_VERSION.partition(".")[0] or not 1 <= shard.number <= shard.of:
        raise Failure.of("MBX850", file=name)
    return ShardResults(shard, results, complete)


def merged(parts: Iterable[tuple[str, ShardResults]]) -> tuple[ProbeResult, ...]:
    """The results of all shards of one run, each with the name of its file, sorted by server.
    Raises `Failure` where shards are missing or were interrupted, of different runs, or duplicate.
    """
    by_number: dict[int, tuple[str, ShardResults]] = {}
    counts = set()
    for name, part in parts:
        number = part.shard.number
        counts.add(part.shard.of)
        if number in by_number:
            raise Failure.of("MBX852", file=name, other=by_number[number][0], number=number)
        by_number[number] = (name, part)
    if len(counts) > 1:
        raise Failure.of("MBX853", counts=", ".join(map(str, sorted(counts))))
    count = max(counts, default=1)
    complete = {number for number, (_name, part) in by_number.items() if part.complete}
    missing = sorted(set(range(1, count + 1)) - complete)
    if missing:
        raise Failure.of("MBX851", missing=", ".join(map(str, missing)), count=count)
    results = [result for _name, part in by_number.values() for result in part.results]
    return tuple(sorted(results, key=lambda result: (result.names, result.protocol)))


class Tally:
    """How many results there were of each outcome, how many warnings, and how long they took."""

    def __init__(self, results: Iterable[ProbeResult] = ()) -> None:
        self.outcomes = dict.fromkeys(ProbeOutcome, 0)
        self.warnings = 0
        self.seconds = 0.0
        for result in results:
            self.add(result)

    def add(self, result: ProbeResult) -> None:
        self.outcomes[result.outcome] += 1
        self.warnings += len(result.warnings)
        self.seconds += result.seconds

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    def data(self) -> dict[str, int]:
        """The counts as JSON has them."""
        counts = {name.replace("-", "_"): count for name, count in self.outcomes.items()}
        return {"total": self.total, **counts, "warnings": self.warnings}


def _result(item: Mapping[str, Any]) -> ProbeResult:
    return ProbeResult(
        names=tuple(map(_text, item["servers"])),
        protocol=_text(item["protocol"]),
        host=_text(item["host"]),
        port=int(item["port"]),
        security=_text(item["security"]),
        username=_text(item["username"]),
        level=Level[_text(item["level"]).upper()],
        outcome=ProbeOutcome(item["outcome"]),
        steps=tuple(
            Step(_text(step["name"]), float(step["seconds"]), _facts(step["facts"]))
            for step in item["steps"]
        ),
        diagnosis=_diagnosis(item["failure"]) if item["failure"] else None,
        warnings=tuple(
            ProbeWarning(_text(warning["code"]), _facts(warning["values"]))
            for warning in item["warnings"]
        ),
        attempts=int(item["attempts"]),
        given_up=bool(item["given_up"]),
        at=_text(item["at"]),
        seconds=float(item["seconds"]),
    )


def _diagnosis(item: Mapping[str, Any]) -> Diagnosis:
    provider = None if item["provider"] is None else _text(item["provider"])
    code, step, line = (_text(item[name]) for name in ("code", "step", "server_said"))
    return Diagnosis(code, step, line, Again(item["again"]), provider, _facts(item["values"]))


def _facts(items: Mapping[str, Any]) -> Facts:
    return tuple(
        (name, value if isinstance(value, int) else _text(value)) for name, value in items.items()
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
