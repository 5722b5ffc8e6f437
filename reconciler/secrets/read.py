"""References → secrets: all that a run needs, read at once before anything else happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import NamedTuple, Self, TypeVar

from reconciler.diagnostics.problem import Failure, Place, Problem
from reconciler.diagnostics.words import N_
from reconciler.secrets.redact import Redactor
from reconciler.secrets.references import Reference, to_text
from reconciler.secrets.secret import Secret
from reconciler.secrets.settings import SecretSettings
from reconciler.secrets.stores.folder import LIMIT
from reconciler.secrets.stores.kinds import KINDS
from reconciler.secrets.stores.store import Store, StoredSecret

K = TypeVar("K")
T = TypeVar("T")
_Question = Callable[[Store, Reference, float], T]
_BREAKING = frozenset("\r\n\0")
"""No protocol can send these in a password; most come from a line end that was stored with it.
The key file of a service account is a JSON document over several lines, and no password.
"""


class Stores:
    """All stores by name. None is asked, and none logs in, before a secret is read from it.

    What is read through them, and what they log in with, is made known to `redactor`.
    """

    def __init__(
        self, settings: SecretSettings, environment: Mapping[str, str], redactor: Redactor
    ) -> None:
        self.redactor = redactor
        self._stores: dict[str, Store] = {
            name: kind.open(section, environment, redactor)
            for name, kind in KINDS.items()
            if (section := settings.section(name))
        }

    def __getitem__(self, name: str) -> Store:
        """The store of that name.

        Raises:
            Failure: the settings do not declare it.
        """
        if store := self._stores.get(name):
            return store
        raise Failure.of("MBX670", store=name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for store in self._stores.values():
            store.close()


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
    answers = _ask(
        set(references),
        stores,
        seconds,
        lambda store, whole, left: store.fetch(whole.name, whole.version, left),
    )
    resolved = Resolved({}, {})
    for reference in sorted(answers, key=to_text):
        try:
            item = _pick(answers[reference], reference)
        except Failure as failure:
            resolved.failed[reference] = failure.problems
        else:
            stores.redactor.add(item.secret)
            resolved.read[reference] = item
    return resolved


def newest_versions(
    references: Collection[Reference], stores: Stores, seconds: float
) -> dict[Reference, str | None]:
    """The version that each reference stands for now, without reading the secret.

    It is None where the store has no versions, or cannot be asked. A reference that pins its
    version needs no question.
    """
    unpinned = {reference for reference in references if reference.version is None}
    pinned = {item: str(item.version) for item in references if item not in unpinned}
    answers = _ask(
        unpinned, stores, seconds, lambda store, whole, left: store.newest(whole.name, left)
    )
    newest = {
        reference: None if isinstance(answer, Failure) else answer
        for reference, answer in answers.items()
    }
    return {**pinned, **newest}


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


def _ask(
    references: Collection[Reference], stores: Stores, seconds: float, question: _Question[T]
) -> dict[Reference, T | Failure]:
    """What each reference's store answers, or why it does not; all keys of a name come together."""
    names = {reference: reference._replace(key=None) for reference in references}
    tasks = {name: partial(_answer, stores, question, name) for name in names.values()}
    done: dict[Reference, T | Failure] = at_once(tasks, seconds)
    return {
        reference: done[name] if name in done else Failure.of("MBX678", store=name.store)
        for reference, name in names.items()
    }


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


def at_once(tasks: Mapping[K, Callable[[float], T]], seconds: float) -> dict[K, T]:
    """The results of the tasks by key; each task is passed the seconds that are left.

    A task that takes longer than `seconds` is missing in the result. It goes on in a daemon thread,
    as nothing can stop a system call that hangs.
    """
    until = monotonic() + seconds
    todo: SimpleQueue[tuple[K, Callable[[float], T]]] = SimpleQueue()
    done: SimpleQueue[tuple[K, T]] = SimpleQueue()
    for item in tasks.items():
        todo.put(item)

    def work() -> None:
        while (left := until - monotonic()) > 0:
            try:
                key, task = todo.get_nowait()
            except Empty:
                return
            done.put((key, task(left)))

    for _ in range(min(8, len(tasks))):
        Thread(target=work, name="secrets", daemon=True).start()
    results: dict[K, T] = {}
    while len(results) < len(tasks):
        try:
            key, result = done.get(timeout=max(0.0, until - monotonic()))
        except Empty:
            break
        results[key] = result
    return results
