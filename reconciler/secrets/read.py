"""References → secrets: all that a run needs, read at once before anything else happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from reconciler.diagnostics.problem import Failure, Place, Problem
from reconciler.diagnostics.words import N_
from reconciler.secrets.references import Reference, to_text
from reconciler.secrets.secret import Secret
from reconciler.secrets.stores.at_once import at_once
from reconciler.secrets.stores.folder import LIMIT
from reconciler.secrets.stores.open import Stores
from reconciler.secrets.stores.store import Store, StoredSecret

T = TypeVar("T")
_Question = Callable[[Store, Reference, float], T]
_BREAKING = frozenset("\r\n\0")
"""No protocol can send these in a password; most come from a line end that was stored with it.
The key file of a service account is a JSON document over several lines, and no password.
"""


class ReadSecret(NamedTuple):
    """A secret and its version; None where the store does not number versions."""

    secret: Secret
    version: str | None


class Resolved(NamedTuple):
    """The secrets that were read, and the problems of each reference that could not be."""

    read: dict[Reference, ReadSecret]
    failed: dict[Reference, tuple[Problem, ...]]


def resolve(references: Iterable[Reference], stores: Stores, seconds: float) -> Resolved:
    """Read the secrets of all references within `seconds`; what several need is read once.

    Nothing is raised, and the redactor of `stores` knows every secret before it is returned.
    """
    unique = set(references)
    answers = _ask(
        map(_whole, unique),
        stores,
        seconds,
        lambda store, whole, left: store.fetch(whole.name, whole.version, left),
    )
    resolved = Resolved({}, {})
    for reference in sorted(unique, key=to_text):
        try:
            item = _pick(answers[_whole(reference)], reference)
        except Failure as failure:
            resolved.failed[reference] = failure.problems
        else:
            stores.redactor.add(item.secret)
            resolved.read[reference] = item
    return resolved


def newest_versions(
    references: Iterable[Reference], stores: Stores, seconds: float
) -> dict[Reference, str | None]:
    """The version that each reference stands for now, without reading the secret.

    It is None where the store has no versions, or cannot be asked. A reference that pins its
    version needs no question.
    """
    versions: dict[Reference, str | None] = {}
    unpinned = set()
    for reference in references:
        if reference.version is None:
            unpinned.add(reference)
        else:
            versions[reference] = str(reference.version)
    answers = _ask(
        map(_whole, unpinned),
        stores,
        seconds,
        lambda store, whole, left: store.newest(whole.name, left),
    )
    for reference in unpinned:
        answer = answers[_whole(reference)]
        versions[reference] = None if isinstance(answer, Failure) else answer
    return versions


def problems(
    failed: Mapping[Reference, Iterable[Problem]], places: Mapping[Reference, Sequence[Place]]
) -> list[Problem]:
    """The problems of these references, each once, with every place that needs the secret."""
    merged: dict[str, tuple[Problem, list[Place]]] = {}
    for reference, reasons in failed.items():
        for problem in reasons:
            key = repr((problem.code, sorted(problem.values.items())))
            merged.setdefault(key, (problem, []))[1].extend(places.get(reference, ()))
    return [
        replace(problem, place=where[0] if where else None, others=tuple(where[1:]))
        for problem, where in merged.values()
    ]


def _whole(reference: Reference) -> Reference:
    """What is read for `reference`: all keys of a name come together."""
    return reference._replace(key=None)


def _ask(
    names: Iterable[Reference], stores: Stores, seconds: float, question: _Question[T]
) -> dict[Reference, T | Failure]:
    """The answer of each name's store, or why there is none."""
    tasks = {name: partial(_answer, stores, question, name) for name in names}
    done: dict[Reference, T | Failure] = at_once(tasks, seconds)
    for name in tasks.keys() - done.keys():
        done[name] = Failure.of("MBX678", store=name.store)
    return done


def _answer(stores: Stores, question: _Question[T], name: Reference, left: float) -> T | Failure:
    try:
        return question(stores[name.store], name, left)
    except Failure as failure:
        return failure
    except Exception as error:  # noqa: BLE001 - the text of an unknown error may hold anything
        return Failure.of("MBX672", store=name.store, reason=type(error).__name__)


def _pick(stored: StoredSecret | Failure, reference: Reference) -> ReadSecret:
    """The secret that `reference` stands for.

    Raises:
        Failure: there is none, or none that can be used.
    """
    if isinstance(stored, Failure):
        raise stored
    content = stored.content
    if isinstance(content, Secret):
        secret, kind = None if reference.key else content, N_("a single text")
    else:
        secret, kind = content.get(reference.key or ""), N_("texts by key")
    if secret is None:
        raise Failure.of("MBX676", reference=to_text(reference), kind=kind)
    if not _usable(secret.reveal()):
        raise Failure.of("MBX677", reference=to_text(reference), limit=LIMIT)
    return ReadSecret(secret, stored.version)


def _usable(value: str) -> bool:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size <= LIMIT and (_BREAKING.isdisjoint(value) or _is_document(value))


def _is_document(value: str) -> bool:
    try:
        return value.lstrip().startswith("{") and isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False
