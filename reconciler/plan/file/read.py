"""The text of a plan file → plan.

A file is believed only when its digest fits, and its signature where a key is configured; what is
wrong with the changes before that is told only then.
"""

from __future__ import annotations

import hmac
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

from pydantic import ValidationError

from reconciler import __version__
from reconciler.diagnostics.problem import Failure, Stale
from reconciler.diagnostics.words import N_, _
from reconciler.model import as_json
from reconciler.model.state import Link, Row
from reconciler.model.unchanged import Unchanged
from reconciler.plan.alarm import Alarm, Concern
from reconciler.plan.cause import Cause
from reconciler.plan.diff import Change
from reconciler.plan.file.document import (
    FORMAT,
    CauseForm,
    Digest,
    PlanDocument,
    ResourceChange,
    SelectionForm,
    UnchangedForm,
    canonical,
)
from reconciler.plan.file.sign import PlanKey
from reconciler.plan.file.stream import Malformed, members
from reconciler.plan.plan import (
    Accepted,
    DatabaseTarget,
    PartnerPlan,
    Password,
    Plan,
    Refusal,
    Selection,
)

_CHANGES = "resource_changes"


class SavedPlan(NamedTuple):
    """A plan that was read from a file, and the facts about unchanged partners that it leads to."""

    plan: Plan
    unchanged: tuple[Unchanged, ...] = ()


def read(stream: TextIO, file: str, key: PlanKey | None = None, digest: str = "") -> SavedPlan:
    """The plan that a file holds, with the signature of `key` and the `digest` given, if any.

    Raises:
        Failure: it is no plan, or it is signed and nothing is here to check that.
        Stale: it was altered, is another plan than expected or not signed with `key`, or this
            version of the tool does not know its format.
    """
    found = _Found()
    try:
        for name, value in members(stream, _CHANGES):
            found.take(name, value)
        fitting = found.has_its_digest()
    except (ValueError, RecursionError) as error:
        raise _malformed(found, file, error) from None
    _check_format(found.head, file)
    if not fitting:
        raise Stale.of("MBX521", file=file, reason=N_("Its digest does not fit its content."))
    _check_trust(found.head, file, key, digest)
    _check_tool(found.head, file)
    return found.plan(file)


def _malformed(found: _Found, file: str, error: Exception) -> Failure:
    """A file that has begun like a plan was one."""
    reason = error.reason if isinstance(error, Malformed) else N_("It is not JSON.")
    if "format_version" in found.head:
        return Stale.of("MBX521", file=file, reason=reason)
    return Failure.of("MBX523", file=file, reason=reason)


_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")


def _numbers(version: object) -> tuple[int, int] | None:
    """The first two numbers of a version; None where it is none."""
    match = _VERSION.match(version) if isinstance(version, str) else None
    return (int(match[1]), int(match[2])) if match else None


def _check_format(head: Mapping[str, Any], file: str) -> None:
    version = head.get("format_version")
    found, known = _numbers(version), _numbers(FORMAT)
    if not found or not known or found[0] < known[0]:
        raise Failure.of("MBX523", file=file, reason=N_("It has no format_version of a plan."))
    if found > known:
        raise Stale.of("MBX524", file=file, found=version, known=FORMAT)


def _check_trust(head: Mapping[str, Any], file: str, key: PlanKey | None, wanted: str) -> None:
    digest, signature = head["digest"], head.get("signature")
    if wanted and not hmac.compare_digest(digest, wanted):
        raise Stale.of("MBX554", file=file, found=digest, wanted=wanted)
    if key is None:
        if signature is not None and not wanted:
            raise Failure.of("MBX553", file=file)
    elif signature is None:
        raise Stale.of("MBX551", file=file)
    elif not isinstance(signature, str) or not key.has_signed(digest, signature):
        raise Stale.of("MBX552", file=file)


def _check_tool(head: Mapping[str, Any], file: str) -> None:
    """Only the same major version knows what a plan means; before 1.0 only the same minor one."""
    version = head.get("tool_version")
    found, own = _numbers(version), _numbers(__version__)
    if found and own and (found[0] != own[0] or (found[0] == 0 and found != own)):
        raise Stale.of("MBX556", file=file, found=version, own=__version__)


class _Found:
    """What a file holds, while it is read: each change becomes what it stands for at once."""

    def __init__(self) -> None:
        self.head: dict[str, Any] = {}
        self._digest = Digest()
        self._changes: dict[str, list[Change]] = {}
        self._causes: dict[str, list[Cause]] = {}
        self._links: dict[Link, Link] = {}
        self._same: dict[Cause, Cause] = {}
        self._wrong = ""

    def take(self, name: str, value: Any) -> None:
        """Take in a member of the document, or one of its changes."""
        if name != _CHANGES:
            self.head[name] = value
            return
        self._digest.add(canonical(value))
        if not self._wrong:
            try:
                form = ResourceChange.model_validate(value)
                change = self._change(form)
            except ValidationError as error:
                self._wrong = _first(error)
            except ValueError as error:
                self._wrong = str(error)
            else:
                cause = _cause(form.cause)
                self._changes.setdefault(change.partner, []).append(change)
                self._causes.setdefault(change.partner, []).append(
                    self._same.setdefault(cause, cause)
                )

    def _change(self, form: ResourceChange) -> Change:
        partner = sys.intern(form.partner)
        before = self._row(form, form.change.before)
        after = self._row(form, form.change.after)
        change = Change(partner, form.name, before, after)
        written = (form.address, form.change.action)
        if before is after or (change.address, change.action) != written:
            raise _contradiction(form)
        return change

    def _row(self, form: ResourceChange, data: dict[str, Any] | None) -> Row | None:
        """A row that would be written as it was. Many links are equal, and kept once."""
        if data is None:
            return None
        row = as_json.made(form.type, data)
        if as_json.plain(row) != data:
            raise _contradiction(form)
        return self._links.setdefault(row, row) if isinstance(row, Link) else row

    def has_its_digest(self) -> bool:
        """Whether the document is as it was written."""
        return bool(self.head.get("digest") == self._digest.of(self.head))

    def plan(self, file: str) -> SavedPlan:
        """The plan, once all is taken in.

        Raises:
            Failure: something in it is of another kind than in a plan.
        """
        try:
            document = PlanDocument.model_validate({**self.head, _CHANGES: []})
        except ValidationError as error:
            raise Failure.of("MBX523", file=file, reason=_first(error)) from None
        if self._wrong:
            raise Failure.of("MBX523", file=file, reason=self._wrong)
        plan = _plan(document, self._changes, self._causes)
        return SavedPlan(plan, tuple(map(_fact, document.unchanged)))


def _cause(form: CauseForm) -> Cause:
    fields = tuple(form.fields.items())
    return Cause(form.changed, form.revision, form.applied_at, form.rolls_back, fields)


def _contradiction(form: ResourceChange) -> ValueError:
    return ValueError(f"{form.address}: {_('its parts contradict each other')}")


def _first(error: ValidationError) -> str:
    item = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, item['loc']))}: {item['msg']}"


def _plan(
    document: PlanDocument,
    changes: Mapping[str, list[Change]],
    causes: Mapping[str, list[Cause]],
) -> Plan:
    database = document.database
    return Plan(
        id=document.plan_id,
        created_at=document.created_at,
        expires_at=document.expires_at,
        project=document.project,
        target=DatabaseTarget(database.id, database.dialect, database.schema_revision),
        manifest_digest=document.manifest_digest,
        selection=_selection(document.selection),
        partners=tuple(_partners(document, changes, causes)),
        unchanged=document.summary.noop,
        left_alone=document.summary.left_alone,
        commit=document.commit,
        rolls_back=document.rolls_back,
        passwords=tuple(
            Password(item.partner, item.server, item.reference, item.verdict)
            for item in document.passwords
        ),
    )


def _fact(form: UnchangedForm) -> Unchanged:
    files = tuple((file.name, file.sha256) for file in form.files)
    counts = (form.unchanged, form.left_alone, form.skipped)
    return Unchanged(form.partner, form.context, files, *counts, form.digest)


def _selection(form: SelectionForm) -> Selection:
    servers = (server.partition("/") for server in form.servers)
    return Selection(tuple(form.partners), tuple((partner, name) for partner, _, name in servers))


def _partners(
    document: PlanDocument,
    changes: Mapping[str, list[Change]],
    causes: Mapping[str, list[Cause]],
) -> Iterator[PartnerPlan]:
    refusals: dict[str, list[Refusal]] = {}
    for form in document.refusals:
        concerns = tuple(Concern(**item.model_dump()) for item in form.concerns)
        alarm = Alarm(form.guard, form.count, concerns)
        refusals.setdefault(form.partner, []).append(Refusal(form.partner, alarm, form.offered))
    accepted: dict[str, list[Accepted]] = {}
    for offer in document.accepted:
        accepted.setdefault(offer.partner, []).append(Accepted(**offer.model_dump()))
    for name in sorted({*changes, *refusals}):
        yield PartnerPlan(
            name,
            tuple(changes.get(name, ())),
            tuple(refusals.get(name, ())),
            tuple(accepted.get(name, ())),
            _known(causes.get(name, ())),
        )


def _known(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Causes, where there is a row among them that the ledger knew."""
    return tuple(causes) if any(cause.revision is not None for cause in causes) else ()
