"""The lines of a plan file → plan.

A file is believed only when its digest fits, and its signature where a key is configured; what is
wrong with its lines otherwise is told only then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple, NoReturn, get_type_hints

from reconciler import __version__
from reconciler.diagnostics.problem import Failure, Stale
from reconciler.diagnostics.words import N_, Word, _
from reconciler.model import as_json
from reconciler.model.as_list import Build, builder, lenient
from reconciler.model.state import Link, MailServer, Row
from reconciler.model.unchanged import Unchanged
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change
from reconciler.plan.file.write import FORMAT, HEAD, PlanKey
from reconciler.plan.plan import Accepted, PartnerPlan, Password, Plan, Refusal

LARGEST_FILE = 2 << 30
"""How many bytes a file may have."""
LARGEST_LINE = 64 << 20
"""How many bytes one line of it may have."""
_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")
_TYPES: Mapping[str, Any] = as_json.TYPES
_BEFORE = {kind: lenient(row) for kind, row in _TYPES.items()}
"""What a strange database has must be readable, or it could never be repaired."""
_AFTER = {kind: builder(row) for kind, row in _TYPES.items()}
_VALUES = {
    "refusal": builder(Refusal),
    "accepted": builder(Accepted),
    "cause": builder(Cause),
    "password": builder(Password),
    "unchanged": builder(Unchanged),
    "of": builder(str),
}


class SavedPlan(NamedTuple):
    """A plan that was read from a file, and the facts about unchanged partners that it leads to."""

    plan: Plan
    unchanged: tuple[Unchanged, ...] = ()


class _Malformed(ValueError):  # noqa: N818 - what it is
    """A line that could be read in two ways, or in none. `reason` says why."""

    def __init__(self, reason: Word) -> None:
        super().__init__(reason)
        self.reason = reason


def read(stream: BinaryIO, file: str, key: PlanKey | None = None, digest: str = "") -> SavedPlan:
    """The plan that a file holds, with the signature of `key` and the `digest` given, if any.

    Raises:
        Failure: it is no plan, or it is signed and nothing is here to check that.
        Stale: it was altered, is another plan than expected or not signed with `key`, or this
            version of the tool does not know its format.
    """
    lines, actual = _Lines(stream), ""
    head: Any = None
    content = _Content()
    trailer: Any = None
    try:
        head = lines.next()
        _check_format(head, file)
        while isinstance(trailer := lines.next(), list):
            content.take(trailer)
        actual = lines.digest_before_last
        lines.require_end()
    except (ValueError, RecursionError) as error:
        reason = error.reason if isinstance(error, _Malformed) else N_("It is not JSON.")
        if isinstance(head, dict) and "format_version" in head:
            raise Stale.of("MBX521", file=file, reason=reason) from None
        raise Failure.of("MBX523", file=file, reason=reason) from None
    if not isinstance(trailer, dict) or trailer.get("digest") != actual:
        raise Stale.of("MBX521", file=file, reason=N_("Its digest does not fit its content."))
    _check_trust(trailer, file, key, digest)
    _check_tool(head, file)
    try:
        return content.plan(head)
    except ValueError as error:
        raise Failure.of("MBX523", file=file, reason=str(error)) from None


def _numbers(version: object) -> tuple[int, int] | None:
    """The first two numbers of a version; None where it is none."""
    match = _VERSION.match(version) if isinstance(version, str) else None
    return (int(match[1]), int(match[2])) if match else None


def _check_format(head: Any, file: str) -> None:
    version = head.get("format_version") if isinstance(head, dict) else None
    major_minor, known = _numbers(version), _numbers(FORMAT)
    if not major_minor or not known or major_minor[0] < known[0]:
        raise Failure.of("MBX523", file=file, reason=N_("It has no format_version of a plan."))
    if major_minor > known:
        raise Stale.of("MBX524", file=file, found=version, known=FORMAT)


def _check_trust(trailer: Mapping[str, Any], file: str, key: PlanKey | None, expected: str) -> None:
    digest, signature = trailer["digest"], trailer.get("signature")
    if expected and not hmac.compare_digest(digest, expected):
        raise Stale.of("MBX554", file=file, found=digest, wanted=expected)
    if key is None:
        if signature is not None and not expected:
            raise Failure.of("MBX553", file=file)
    elif signature is None:
        raise Stale.of("MBX551", file=file)
    elif not isinstance(signature, str) or not key.has_signed(digest, signature):
        raise Stale.of("MBX552", file=file)


def _check_tool(head: Mapping[str, Any], file: str) -> None:
    """Only the same major version knows what a plan means; before 1.0 only the same minor one."""
    version = head.get("tool_version")
    made, own = _numbers(version), _numbers(__version__)
    if made and own and (made[0] != own[0] or (made[0] == 0 and made != own)):
        raise Stale.of("MBX556", file=file, found=version, own=__version__)


class _Lines:
    """The lines of a file, each parsed strictly, and the digest of their bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._size = 0
        self.digest_before_last = ""
        """Of all bytes before the line that was taken last."""

    def next(self) -> Any:
        """The value of the next line."""
        line = self._stream.readline(LARGEST_LINE + 1)
        self._size += len(line)
        if len(line) > LARGEST_LINE or self._size > LARGEST_FILE:
            raise _Malformed(N_("It is too large."))
        if not line.endswith(b"\n"):
            raise _Malformed(N_("It is not JSON."))
        value = _decode(line.decode())
        if not isinstance(value, list):
            self.digest_before_last = f"sha256:{self._digest.hexdigest()}"
        self._digest.update(line)
        return value

    def require_end(self) -> None:
        if self._stream.read(1):
            raise _Malformed(N_("Something follows after its end."))


class _Content:
    """What the lines between head and trailer hold: each becomes what it stands for at once."""

    def __init__(self) -> None:
        self._partner = ""
        self._cause: Cause | None = None
        self._values: dict[str, list[Any]] = {"password": [], "unchanged": []}
        self._parts: dict[str, dict[str, list[Any]]] = {}
        self._same: dict[Cause, Cause] = {}
        self._wrong: ValueError | None = None

    def take(self, line: list[Any]) -> None:
        """Take in a line; the first one that is wrong is kept until the file is believed."""
        if self._wrong:
            return
        try:
            self._take(*line)
        except (KeyError, TypeError, ValueError):
            kind = line[0] if line and isinstance(line[0], str) else "?"
            name = line[1] if len(line) > 1 and isinstance(line[1], str) else self._partner
            text = _("its parts contradict each other")
            self._wrong = ValueError(f"{kind} {name}: {text}")

    def _take(self, kind: str, *values: Any) -> None:
        if kind in _AFTER:
            self._change(kind, *values)
            return
        (value,) = values
        built = _VALUES[kind](value)
        if kind == "of":
            self._partner, self._cause = sys.intern(built), None
            self._parts[built] = {"change": [], "cause": [], "refusal": [], "accepted": []}
        elif kind == "cause":
            self._cause = self._same.setdefault(built, built)
        elif kind in self._values:
            self._values[kind].append(built)
        else:
            self._parts[self._partner][kind].append(built)

    def _change(self, kind: str, name: str, before: Any, after: Any) -> None:
        part = self._parts[self._partner]
        old, new = _row(kind, before, _BEFORE), _row(kind, after, _AFTER)
        row = new or old
        if row is None or not isinstance(name, str):
            raise ValueError(name)
        if isinstance(row, Link):
            name = f"{name}/{row.cnpj}"
        elif isinstance(row, MailServer) and row.stable_id != name:
            raise ValueError(name)
        part["change"].append(Change(self._partner, name, old, new))
        if self._cause:
            part["cause"].append(self._cause)

    def plan(self, head: dict[str, Any]) -> SavedPlan:
        """The plan, once all is taken in.

        Raises:
            ValueError: something in it is of another kind than in a plan.
        """
        if self._wrong:
            raise self._wrong
        known = {"format_version", "tool_version", *HEAD}
        for name in sorted(known ^ head.keys()):
            text = _("it is missing") if name in known else _("this version does not know it")
            raise ValueError(f"{name}: {text}")
        hints = get_type_hints(Plan)
        fields = {name: _field(name, hints[name], head[name]) for name in HEAD}
        plan = Plan(
            **fields,
            partners=tuple(self._partners()),
            passwords=tuple(self._values["password"]),
        )
        return SavedPlan(plan, tuple(self._values["unchanged"]))

    def _partners(self) -> Iterator[PartnerPlan]:
        for name, part in self._parts.items():
            changes, causes = part["change"], part["cause"]
            if causes and len(causes) != len(changes):
                raise ValueError(f"{name}: {_('its parts contradict each other')}")
            refusals, accepted = tuple(part["refusal"]), tuple(part["accepted"])
            yield PartnerPlan(name, tuple(changes), refusals, accepted, tuple(causes))


def _field(name: str, hint: Any, data: Any) -> Any:
    try:
        return builder(hint)(data)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {_('its value is of another kind')}") from None


def _row(kind: str, data: Any, builds: Mapping[str, Build]) -> Row | None:
    """The row of a kind. Many links are equal, and kept once."""
    if kind == "link" and isinstance(data, list):
        return _link(builds[kind], *data)
    row: Row | None = None if data is None else builds[kind](data)
    return row


@lru_cache(maxsize=1 << 12, typed=True)
def _link(build: Build, *values: Any) -> Row:
    row: Row = build(list(values))
    return row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Malformed(N_("A name is in it twice."))
    return members


def _no_number(_text: str) -> NoReturn:
    raise _Malformed(N_("A number in it is none."))


_decode = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number).decode
