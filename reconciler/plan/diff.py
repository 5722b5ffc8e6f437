"""State × State → changes: what differs, as data, with no word on whether it may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from reconciler.model.state import KINDS, Link, Links, MailServer, Row, RowKey, State, split_link


class Action(StrEnum):
    """What a change does, in the words that plans use."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    LINK = "link"
    UNLINK = "unlink"


class Change(NamedTuple):
    """One difference: a row before and after, None where it does not exist.

    `name` identifies the row below its partner; that of a link is `server/cnpj`.
    """

    partner: str
    name: str
    before: Row | None
    after: Row | None

    @property
    def row(self) -> Row:
        """The row as it will be, or as it last was."""
        row = self.after or self.before
        assert row is not None
        return row

    @property
    def kind(self) -> str:
        """What kind of row it is: `server`, `link`, `company`, …"""
        return KINDS[type(self.row)]

    @property
    def action(self) -> Action:
        if self.before is None:
            return Action.LINK if type(self.after) is Link else Action.CREATE
        if self.after is None:
            return Action.UNLINK if type(self.before) is Link else Action.DELETE
        return Action.UPDATE

    @property
    def key(self) -> RowKey:
        """The one name of the row, its server being called as it will be."""
        return RowKey(self.partner, self.kind, self.name)

    @property
    def address(self) -> str:
        """The name as it is shown: `server.acme/nfe-out`."""
        return self.key.address

    @property
    def renamed_from(self) -> str | None:
        """The id that a server has so far, where it gets another one."""
        row = self.before
        if isinstance(row, MailServer) and row.stable_id != self.name:
            return row.stable_id
        return None

    @property
    def server(self) -> str:
        """The mail server it concerns, by the name it will have; empty for other kinds of row."""
        kind = type(self.row)
        if kind is Link:
            return split_link(self.name)[0]
        return self.name if kind is MailServer else ""


def diff(partner: str, before: State, after: State) -> tuple[Change, ...]:
    """What leads from `before` to `after`, in the order in which it can be done.

    Rows come after those they need, and what goes away last, links before servers. Both states know
    the rows by the same names: a rename is the same name with another `stable_id`.
    """
    kinds = [
        _partner(partner, before, after),
        _rows(partner, before.companies, after.companies, str),
        _rows(partner, before.head_offices, after.head_offices, str),
        _rows(partner, before.hosts, after.hosts, "/".join),
        _rows(partner, before.servers, after.servers, str),
        _links(partner, before.links, after.links),
    ]
    ordered = [sorted(changes, key=itemgetter(1)) for changes in kinds]
    coming = [change for changes in ordered for change in changes if change.after is not None]
    going = [change for changes in reversed(ordered) for change in changes if change.after is None]
    return (*coming, *going)


def _partner(partner: str, before: State, after: State) -> Iterator[Change]:
    if before.partner != after.partner:
        yield Change(partner, partner, before.partner, after.partner)


K = TypeVar("K")


def _rows(
    partner: str, before: Mapping[K, Any], after: Mapping[K, Any], name: Any
) -> Iterator[Change]:
    for key, row in after.items():
        old = before.get(key)
        if old != row:
            yield Change(partner, name(key), old, row)
    for key, row in before.items():
        if key not in after:
            yield Change(partner, name(key), row, None)


def _links(
    partner: str, before: Mapping[str, Links], after: Mapping[str, Links]
) -> Iterator[Change]:
    for server in before.keys() | after.keys():
        old, new = before.get(server, ()), after.get(server, ())
        if old != new:
            old_by_cnpj = {link.cnpj: link for link in old}
            new_by_cnpj = {link.cnpj: link for link in new}
            yield from _rows(partner, old_by_cnpj, new_by_cnpj, f"{server}/".__add__)


class FieldChange(NamedTuple):
    """A field of a row that differs; `path` leads into fields that have parts.

    Of a list, `added` and `removed` are the items that only one of the two has.
    """

    path: tuple[str, ...]
    before: Any
    after: Any
    added: tuple[Any, ...] = ()
    removed: tuple[Any, ...] = ()


def changed_fields(change: Change) -> tuple[FieldChange, ...]:
    """The fields in which the two rows of an update differ, by name."""
    before, after = change.before, change.after
    assert before is not None
    assert after is not None
    if before == after:
        return ()
    pairs = zip(before._fields, before, after, strict=True)
    names, old, new = zip(*(pair for pair in pairs if pair[1] != pair[2]), strict=True)
    return _field_changes(names, *old, *new)


@lru_cache(maxsize=1 << 10, typed=True)
def _field_changes(names: tuple[str, ...], *values: Any) -> tuple[FieldChange, ...]:
    """How fields differ that have the first half of `values` before and the other half after.

    It is cached because many rows of a plan differ in the same way.
    """
    from deepdiff import DeepDiff  # noqa: PLC0415 - only runs that show an update pay for it

    old, new = (
        dict(zip(names, map(_plain, half), strict=True))
        for half in (values[: len(names)], values[len(names) :])
    )
    fields: dict[tuple[str, ...], FieldChange] = {}
    tree = DeepDiff(old, new, view="tree", ignore_type_in_groups=[], ignore_order=True)
    for items in tree.values():
        for item in items:
            steps = item.path(output_format="list")
            path = tuple(step for step in steps if isinstance(step, str))
            field = fields.setdefault(path, FieldChange(path, _at(old, path), _at(new, path)))
            if len(steps) > len(path):
                fields[path] = field._replace(
                    added=(*field.added, *_present(item.t2)),
                    removed=(*field.removed, *_present(item.t1)),
                )
    for name in set(names) - {path[0] for path in fields}:  # lists of another order
        fields[name,] = FieldChange((name,), old[name], new[name])
    return tuple(fields[path] for path in sorted(fields))


def _present(item: Any) -> tuple[Any, ...]:
    """The item of a list as DeepDiff reports it; none where only the other list has one."""
    from deepdiff.helper import notpresent  # noqa: PLC0415 - as above

    return () if item is notpresent else (item,)


def _plain(value: Any) -> Any:
    """The value of a field, as a dict where it has parts."""
    return value._asdict() if hasattr(value, "_asdict") else value


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(value, Mapping):
            return value
        value = value.get(step)
    return value
