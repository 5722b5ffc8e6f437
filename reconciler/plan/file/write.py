"""Plan → the lines of its file.

The first line is the head, an object. Each line between is a list that begins with its kind; a
change is `of` the partner, and has the `cause`, that were named last. The last line has the digest
of all bytes before it, and their signature. Values are the lists of their fields, in the order of
the model: a plan is applied by the version that made it, and programs have `--format json`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NoReturn

from reconciler import __version__
from reconciler.diagnostics.problem import Failure
from reconciler.model.as_list import plain
from reconciler.model.state import Link
from reconciler.model.unchanged import Unchanged
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change
from reconciler.plan.plan import PartnerPlan, Plan

FORMAT = "1.0"
HEAD = (
    *("id", "created_at", "expires_at", "project", "target", "manifest_digest", "selection"),
    *("unchanged", "left_alone", "commit", "rolls_back"),
)
"""The fields of a plan that its head has."""
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), default=plain
).encode


SHORTEST_KEY = 32
_KIND = "hmac-sha256:"
_WHAT_FOR = b"reconciler plan 1\x00"
"""Keeps a signature of a plan from being one of anything else under the same key."""


class PlanKey:
    """A key that plans are signed with: who has it has made them. Nothing shows or saves it."""

    __slots__ = ("_key",)

    def __init__(self, text: bytes, source: str) -> None:
        """`source` is where it comes from; white space around it does not count.

        Raises:
            Failure: it is too short.
        """
        self._key = text.strip()
        if len(self._key) < SHORTEST_KEY:
            raise Failure.of("MBX650", source=source, least=SHORTEST_KEY)

    def __repr__(self) -> str:
        return "PlanKey(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(repr(self))

    def sign(self, digest: str) -> str:
        """The signature of the plan with this digest."""
        return _KIND + hmac.new(self._key, _WHAT_FOR + digest.encode(), "sha256").hexdigest()

    def has_signed(self, digest: str, signature: str) -> bool:
        """Whether it is the signature of the plan with this digest."""
        theirs = signature.encode(errors="surrogatepass")
        return hmac.compare_digest(self.sign(digest).encode(), theirs)


class PlanFile:
    """The file of a plan, line by line."""

    def __init__(
        self, plan: Plan, unchanged: Iterable[Unchanged] = (), key: PlanKey | None = None
    ) -> None:
        """With `key` it is signed; `unchanged` are facts for whoever applies it."""
        self._plan = plan
        self._unchanged = unchanged
        self._key = key
        self.digest = ""
        """Known once all lines were taken."""

    def __iter__(self) -> Iterator[str]:
        digest = hashlib.sha256()
        for text in self._lines():
            line = f"{text}\n"
            digest.update(line.encode())
            yield line
        self.digest = f"sha256:{digest.hexdigest()}"
        signature = self._key.sign(self.digest) if self._key else None
        yield f"{_encode({'digest': self.digest, 'signature': signature})}\n"

    def _lines(self) -> Iterator[str]:
        plan = self._plan
        head = {name: getattr(plan, name) for name in HEAD}
        yield _encode({"format_version": FORMAT, "tool_version": __version__, **head})
        for part in plan.partners:
            yield from _partner(part)
        for password in plan.passwords:
            yield _encode(["password", password])
        for fact in self._unchanged:
            yield _encode(["unchanged", fact])


def _partner(part: PartnerPlan) -> Iterator[str]:
    yield _encode(["of", part.partner])
    for refusal in part.refusals:
        yield _encode(["refusal", refusal])
    for item in part.accepted:
        yield _encode(["accepted", item])
    current: Cause | None = None
    for change, cause in part.explained:
        if part.causes and cause != current:
            current = cause
            yield _encode(["cause", cause])
        yield _change(change)


def _change(change: Change) -> str:
    if change.kind != "link":
        return _encode([change.kind, change.name, change.before, change.after])
    before, after = change.before, change.after
    assert not isinstance(before, tuple) or isinstance(before, Link)
    return f'["link",{_name(change.server)},{_link(before)},{_link(after)}]'


_name = lru_cache(maxsize=1)(_encode)
_link = lru_cache(maxsize=1 << 12)(_encode)
