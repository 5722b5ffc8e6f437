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


class Found(NamedTuple):
    """A secret, and which version of it that is; None where the store does not number them."""

    secret: Secret
    version: str | None


class Resolved(NamedTuple):
    """What was found, and for each reference that was not what stands against it."""

    found: dict[Reference, Found]
    failed: dict[Reference, tuple[Problem, ...]]


def resolve(references: Iterable[Reference], stores: Stores, seconds: float) -> Resolved:
    """Read the secrets of all references within `seconds`; what several need is read once.

    Nothing is raised, and the redactor of `stores` knows every secret before it is returned.
    """
    wanted = set(references)
    documents = _ask(
        {_document(reference) for reference in wanted},
        stores,
        seconds,
        lambda store, document, left: store.fetch(document.name, document.version, left),
    )
    resolved = Resolved({}, {})
    for reference in sorted(wanted, key=to_text):
        try:
            found = _pick(documents[_document(reference)], reference)
        except Failure as failure:
            resolved.failed[reference] = failure.problems
        else:
            stores.redactor.add(found.secret)
            resolved.found[reference] = found
    return resolved


def newest_versions(
    references: Iterable[Reference], stores: Stores, seconds: float
) -> dict[Reference, str | None]:
    """Which version each reference means now, without reading it; None where nobody knows.

    That is also the answer where the store cannot be asked. Only a reference that pins its version
    needs no question.
    """
    wanted = set(references)
    pinned = {item: str(item.version) for item in wanted if item.version is not None}
    answers = _ask(
        {_document(reference) for reference in wanted - pinned.keys()},
        stores,
        seconds,
        lambda store, document, left: store.newest(document.name, left),
    )
    found = {item: answers[_document(item)] for item in wanted - pinned.keys()}
    known = {item: None if isinstance(one, Failure) else one for item, one in found.items()}
    return {**pinned, **known}


def problems(
    failed: Mapping[Reference, Iterable[Problem]], places: Mapping[Reference, Sequence[Place]]
) -> list[Problem]:
    """What stands against these references, each thing once, with all the places that want it."""
    found: dict[str, tuple[Problem, list[Place]]] = {}
    for reference, reasons in failed.items():
        for problem in reasons:
            key = repr((problem.code, sorted(problem.values.items())))
            found.setdefault(key, (problem, []))[1].extend(places.get(reference, ()))
    return [
        replace(problem, place=where[0] if where else None, others=tuple(where[1:]))
        for problem, where in found.values()
    ]


def _document(reference: Reference) -> Reference:
    """What is read for `reference`: all keys of a name come together."""
    return reference._replace(key=None)


def _ask(
    documents: Iterable[Reference], stores: Stores, seconds: float, question: _Question[T]
) -> dict[Reference, T | Failure]:
    """What the store of each document answers, or why it does not."""
    tasks = {item: partial(_answer, stores, question, item) for item in documents}
    done: dict[Reference, T | Failure] = at_once(tasks, seconds)
    for item in tasks.keys() - done.keys():
        done[item] = Failure.of("MBX678", store=item.store)
    return done


def _answer(
    stores: Stores, question: _Question[T], document: Reference, left: float
) -> T | Failure:
    try:
        return question(stores[document.store], document, left)
    except Failure as failure:
        return failure
    except Exception as error:  # noqa: BLE001 - the text of an unknown error may hold anything
        return Failure.of("MBX672", store=document.store, reason=type(error).__name__)


def _pick(document: StoredSecret | Failure, reference: Reference) -> Found:
    """The secret that `reference` means.

    Raises:
        Failure: there is none, or none that can be used.
    """
    if isinstance(document, Failure):
        raise document
    content = document.content
    if isinstance(content, Secret):
        secret, kind = None if reference.key else content, N_("a single text")
    else:
        secret, kind = content.get(reference.key or ""), N_("texts by key")
    if secret is None:
        raise Failure.of("MBX676", reference=to_text(reference), kind=kind)
    if not _usable(secret.reveal()):
        raise Failure.of("MBX677", reference=to_text(reference), limit=LIMIT)
    return Found(secret, document.version)


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
