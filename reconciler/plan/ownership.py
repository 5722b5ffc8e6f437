"""Whether changes touch anything but who manages the rows.

Taking rows over may change the following and still change nothing for anybody: project and file, an
id or a reference to the password where a row had none, and what only the tool itself reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reconciler.model.state import HostProfile, Link, MailServer, Row
from reconciler.plan.diff import Change

_UNNAMED = re.compile(r"#[0-9]+")
_OWNERSHIP = frozenset({"project", "file", "origins"})
_UP_TO_OWNER = slice(Link._fields.index("project"))


class Difference(NamedTuple):
    """A field of a row that would change; the whole row where `field` is empty."""

    change: Change
    field: str
    before: object
    after: object


def differences(changes: Iterable[Change], project: str) -> Iterator[Difference]:
    """Everything in `changes` that is more than `project` taking rows over as they are.

    A host profile of the project may come and change too: it is read by the tool alone, and every
    mail server has its own resolved options.
    """
    for change in changes:
        before, after = change.before, change.after
        if before is None or after is None:
            if not _is_own_profile(after, project):
                yield Difference(change, "", before, after)
        elif (owner := getattr(after, "project", project)) != project:
            yield Difference(change, "project", getattr(before, "project", None), owner)
        elif not (_is_own_profile(before, project) or _same_link(before, after)):
            yield from _fields(change, before, after)


def _is_own_profile(row: Row | None, project: str) -> bool:
    return isinstance(row, HostProfile) and row.project == project


def _same_link(before: Row, after: Row) -> bool:
    """What `_fields` would find out too, but faster; most rows are links."""
    return isinstance(before, Link) and before[_UP_TO_OWNER] == after[_UP_TO_OWNER]


def _fields(change: Change, before: Row, after: Row) -> Iterator[Difference]:
    for name in after._fields:
        old, new = getattr(before, name), getattr(after, name)
        if old != new and name not in _OWNERSHIP and not _is_filled_in(name, before, after):
            yield Difference(change, name, old, new)


def _is_filled_in(name: str, before: Row, after: Row) -> bool:
    """Whether a field only gets what it lacked, or means nothing for this row."""
    if not isinstance(before, MailServer) or not isinstance(after, MailServer):
        return False
    return (
        (name == "stable_id" and _UNNAMED.fullmatch(before.stable_id) is not None)
        or (name == "password_reference" and before.password_reference is None)
        or (name == "importable" and before.company is not None and before.company == after.company)
    )
