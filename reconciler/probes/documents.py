"""Results as JSON and back, and the results of all shards put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from reconciler.diagnostics.messages.failures import Again
from reconciler.diagnostics.problem import Failure
from reconciler.probes.results import Diagnosis, Facts, Level, Outcome, ProbeResult, Step, Warned

FORMAT_VERSION = "1.0"


class Shard(NamedTuple):
    """Which part of a run this is: `number` (from 1) of `of`."""

    number: int = 1
    of: int = 1


class Document(NamedTuple):
    """A file of results: the part of the run it has, its results, and whether they are all."""

    shard: Shard
    results: tuple[ProbeResult, ...]
    complete: bool = True


def data(result: ProbeResult) -> dict[str, Any]:
    """A result as JSON has it, without words in any language."""
    failed = result.diagnosis
    return {
        "servers": list(result.names),
        "protocol": result.protocol,
        "host": result.host,
        "port": result.port,
        "security": result.security,
        "username": result.username,
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
            {"code": warned.code, "values": dict(warned.values)} for warned in result.warnings
        ],
    }


def head(shard: Shard) -> dict[str, Any]:
    """What a file of results says before them."""
    return {"format_version": FORMAT_VERSION, "shard": shard._asdict()}


def read(document: Any, name: str) -> Document:
    """The document that was written by `data` and `head`; `name` is for messages.

    Raises:
        Failure: it is something else, or of another version.
    """
    try:
        major = document["format_version"].partition(".")[0]
        shard = Shard(int(document["shard"]["number"]), int(document["shard"]["of"]))
        results = tuple(map(_result, document["results"]))
        complete = document["complete"] is True
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Failure.of("MBX850", file=name) from None
    if major != FORMAT_VERSION.partition(".")[0] or not 1 <= shard.number <= shard.of:
        raise Failure.of("MBX850", file=name)
    return Document(shard, results, complete)


def merged(documents: Iterable[tuple[str, Document]]) -> tuple[ProbeResult, ...]:
    """The results of all shards of one run, by the names of their servers.

    Raises:
        Failure: shards are missing or were interrupted, of different runs, or given twice.
    """
    found: dict[int, tuple[str, Document]] = {}
    counts = set()
    for name, document in documents:
        counts.add(document.shard.of)
        if document.shard.number in found:
            other = found[document.shard.number][0]
            raise Failure.of("MBX852", file=name, other=other, number=document.shard.number)
        found[document.shard.number] = (name, document)
    if len(counts) > 1:
        raise Failure.of("MBX853", counts=", ".join(map(str, sorted(counts))))
    whole = {number for number, (_name, document) in found.items() if document.complete}
    missing = sorted(set(range(1, max(counts, default=1) + 1)) - whole)
    if missing:
        raise Failure.of(
            "MBX851", missing=", ".join(map(str, missing)), count=max(counts, default=1)
        )
    results = [result for _, document in found.values() for result in document.results]
    return tuple(sorted(results, key=lambda result: (result.names, result.protocol)))


class Tally:
    """How many results there were of each outcome, and how many warnings."""

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.warnings = 0
        self.seconds = 0.0

    def add(self, result: ProbeResult) -> None:
        self.outcomes[result.outcome] += 1
        self.warnings += len(result.warnings)
        self.seconds += result.seconds

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    def data(self) -> dict[str, int]:
        return {
            "total": self.total,
            **{name.value.replace("-", "_"): count for name, count in self.outcomes.items()},
            "warnings": self.warnings,
        }


def _result(item: Mapping[str, Any]) -> ProbeResult:
    failed = item["failure"]
    return ProbeResult(
        names=tuple(map(_text, item["servers"])),
        protocol=_text(item["protocol"]),
        host=_text(item["host"]),
        port=int(item["port"]),
        security=_text(item["security"]),
        username=_text(item["username"]),
        level=Level[_text(item["level"]).upper()],
        outcome=Outcome(item["outcome"]),
        steps=tuple(_steps(item["steps"])),
        diagnosis=_diagnosis(failed) if failed else None,
        warnings=tuple(
            Warned(_text(warned["code"]), _facts(warned["values"])) for warned in item["warnings"]
        ),
        attempts=int(item["attempts"]),
        given_up=bool(item["given_up"]),
        at=_text(item["at"]),
        seconds=float(item["seconds"]),
    )


def _steps(items: Iterable[Mapping[str, Any]]) -> Iterator[Step]:
    for item in items:
        yield Step(_text(item["name"]), float(item["seconds"]), _facts(item["facts"]))


def _diagnosis(item: Mapping[str, Any]) -> Diagnosis:
    return Diagnosis(
        _text(item["code"]),
        _text(item["step"]),
        _text(item["server_said"]),
        Again(item["again"]),
        None if item["provider"] is None else _text(item["provider"]),
        _facts(item["values"]),
    )


def _facts(items: Mapping[str, Any]) -> Facts:
    return tuple(
        (name, value if isinstance(value, int) else _text(value)) for name, value in items.items()
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
