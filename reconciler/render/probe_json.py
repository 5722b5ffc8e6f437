"""Results as JSON, a line for each, so that none of them has to be kept."""

from __future__ import annotations

import json

from reconciler.probes import shards
from reconciler.probes.results import ProbeResult
from reconciler.probes.shards import Shard, Tally
from reconciler.render.probe_text import described


def opening(shard: Shard) -> str:
    """The beginning of the document, up to its results."""
    head = json.dumps({"format_version": shards.FORMAT_VERSION, "shard": shard._asdict()})
    return f'{head[:-1]}, "results": [\n'


def item(result: ProbeResult, *, first: bool) -> str:
    """One result with its words, as it is in the document."""
    entry = shards.data(result)
    if result.diagnosis:
        entry["failure"] |= described(result.diagnosis)._asdict()
    for told, warning in zip(entry["warnings"], result.warnings, strict=True):
        told.update(described(warning)._asdict())
    return ("" if first else ",\n") + json.dumps(entry, ensure_ascii=False)


def closing(tally: Tally, *, complete: bool = True) -> str:
    """The end of the document; it is not `complete` if the run was interrupted."""
    end = json.dumps({"summary": tally.data(), "complete": complete})
    return f"\n], {end[1:]}\n"
