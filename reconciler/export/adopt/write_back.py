"""What differs between a mail server's manifest and its row → the edits that write the row back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from reconciler.desired.link import DOCUMENT_IMPORT
from reconciler.diagnostics.problem import Path
from reconciler.export import entries
from reconciler.export.adopt.edits import Append, Edit, Expand, Put, Remove, Rename
from reconciler.manifests.declaration import ServerDeclaration
from reconciler.manifests.edit import Sheet
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.manifests.yamltext import Plain, Value
from reconciler.model.state import OPTIONS, Link, MailServer, State
from reconciler.plan.ownership import Difference
from reconciler.secrets.references import from_text
from reconciler.secrets.stores.kinds import KINDS

FileEdit = tuple[str, Edit]
"""The name of a manifest, and an edit of it."""
_LINK_ORDER = ("cnpj", "head_office", "partner", "sender_name", "active")
ENTRY_ORDER = (*entries.SERVER_KEYS, "renamed_from", "exclusive_links", "linked", "companies")


@dataclass(frozen=True, slots=True)
class Scene:
    """One mail server of a partner: what the manifests make of it, and what the database has.

    `before` is the database, by the names that the manifests give; `after` is what they lead to.
    `sheet` gives a manifest by its name.
    """

    name: str
    declared: PartnerDeclaration
    sheet: Callable[[str], Sheet]
    before: State
    after: State
    project: str

    @property
    def item(self) -> ServerDeclaration:
        return self.declared.servers[self.name]

    @property
    def row(self) -> MailServer:
        return self.before.servers[self.name]

    @property
    def file(self) -> str:
        return self.item.place.file

    @property
    def path(self) -> Path:
        return self.item.place.path

    def has(self, path: Path, file: str = "") -> bool:
        """Whether a manifest, the server's own if no other is named, has something at `path`."""
        return self.sheet(file or self.file).has(path)

    def undeclared(self) -> Iterator[Link]:
        """The links that another program made, as far as manifests can declare them."""
        for link in self.after.links.get(self.name, ()):
            if link.project != self.project and self.can_declare(link):
                yield link

    def can_declare(self, link: Link) -> bool:
        """Whether a manifest may link the company."""
        return can_declare(self.row, link, self.after)


def can_declare(row: MailServer, link: Link, state: State) -> bool:
    """Whether a manifest may link this company of `state` to a server."""
    if row.company:
        return (link.cnpj, link.sender_name, link.active) == (row.company, None, True)
    company = state.companies.get(link.cnpj)
    if company is None:
        return False
    return row.direction != "incoming" or DOCUMENT_IMPORT in company.extensions


def edits(scene: Scene, differences: Iterable[Difference], *, hosts: bool) -> Iterator[FileEdit]:
    """The edits that make an end of `differences`, as far as there are such.

    With `hosts` an option that all servers of the host have alike is written there.
    """
    fields: set[str] = set()
    links: dict[str, Difference] = {}
    for difference in differences:
        if isinstance(difference.change.row, Link):
            links[difference.change.row.cnpj] = difference
        elif isinstance(difference.change.row, MailServer) and difference.field:
            fields.add(difference.field)
    yield from _of_fields(scene, fields, hosts=hosts)
    for cnpj, difference in links.items():
        yield from _of_link(scene, cnpj, difference)
    for link in scene.undeclared():
        yield from _added(scene, link)


def _of_fields(scene: Scene, fields: set[str], *, hosts: bool) -> Iterator[FileEdit]:
    if fields & {"sender_name", "sender_email"}:
        yield from ((scene.file, edit) for edit in _of_sender(scene))
    if "security" in fields and _may_follow(scene, hosts=hosts):
        fields = fields - {"port"}
    for field in sorted(fields, key=MailServer._fields.index):
        if field in OPTIONS:
            yield from _of_option(scene, field, hosts=hosts)
        elif field == "password_reference":
            yield from ((scene.file, edit) for edit in _of_password(scene))
        elif field in entries.SERVER_KEYS:
            yield from ((scene.file, edit) for edit in _of_key(scene, field))


def _may_follow(scene: Scene, *, hosts: bool) -> bool:
    """Whether the port is not written, so that another security may bring the right one along."""
    return not scene.has((*scene.path, "port")) and not (hosts and _host_place(scene, "port"))


def _of_key(scene: Scene, key: str) -> Iterator[Edit]:
    path = (*scene.path, key)
    if not scene.has(path):
        value = entries.value_of(scene.row, key)
        if value is not None:
            yield Put(path, value, ENTRY_ORDER)
    elif (spelled := entries.spelled(scene.row, key)) is not None:
        yield Put(path, spelled)
    else:
        yield Remove(path)


def _of_option(scene: Scene, name: str, *, hosts: bool) -> Iterator[FileEdit]:
    place = _host_place(scene, name) if hosts else None
    value = entries.spelled(scene.row, name)
    if place:
        yield place[0], Put(place[1], value) if value is not None else Remove(place[1])
    elif value is not None:
        yield scene.file, Put((*scene.path, name), value, ENTRY_ORDER)
    elif scene.has((*scene.path, name)):
        yield scene.file, Remove((*scene.path, name))


def _host_place(scene: Scene, name: str) -> tuple[str, Path] | None:
    """Where an option is written under `hosts:`, if all servers that have it from there agree."""
    key = (scene.item.server.host, scene.item.server.protocol)
    profile = scene.declared.hosts.get(key)
    if profile is None or getattr(profile.profile, name) is None:
        return None
    users = [
        stable_id
        for stable_id, item in scene.declared.servers.items()
        if (item.server.host, item.server.protocol) == key and getattr(item.server, name) is None
    ]
    rows = [scene.before.servers.get(stable_id) for stable_id in users]
    wanted = getattr(scene.row, name)
    agree = all(row is not None and getattr(row, name) == wanted for row in rows)
    if scene.name not in users or not agree:
        return None
    return profile.place.file, (*profile.place.path, name)


def _of_sender(scene: Scene) -> Iterator[Edit]:
    path = (*scene.path, "sender")
    whole = entries.spelled(scene.row, "sender")
    if not scene.has(path):
        if whole is not None:
            yield Put(path, whole, ENTRY_ORDER)
        return
    if whole is None:
        yield Remove(path)
        return
    for part, value in (("name", scene.row.sender_name), ("email", scene.row.sender_email)):
        if value is not None:
            yield Put((*path, part), value, ("name", "email"))
        elif scene.has((*path, part)):
            yield Remove((*path, part))


def _of_password(scene: Scene) -> Iterator[Edit]:
    path = (*scene.path, "password")
    reference = scene.row.password_reference
    written = scene.item.server.password_reference
    value = entries.reference(reference)
    if value is None:
        if scene.has(path):
            yield Remove(path)
    elif reference and written and (renamed := _of_name(scene, path, reference, written)):
        yield from renamed
    else:
        yield Put(path, value, ENTRY_ORDER)


def _of_name(scene: Scene, path: Path, reference: str, written: str) -> tuple[Edit, ...]:
    """Another name in the place of the one in the manifest, where no more than that is written."""
    new, old = from_text(reference), from_text(written)
    place = (*path, old.store)
    if KINDS[new.store].word or KINDS[old.store].word or not scene.has(place):
        return ()
    put = Put(place, new.name)
    return (put,) if new.store == old.store else (Rename(place, new.store), put)


# Links


class Place(NamedTuple):
    """Where a link is written, and how."""

    kind: Literal["item", "import", "own"]
    file: str
    path: Path


def _place(scene: Scene, cnpj: str) -> Place | None:
    """Where a link is written by name; None where it is not, or only as one of many."""
    if scene.item.server.company:
        return Place("own", scene.file, scene.path)
    for index, item in enumerate(scene.item.links):
        if item.kind == "company" and item.cnpj == cnpj:
            return Place("item", scene.file, (*scene.path, "companies", index))
    for imported in scene.declared.imports:
        if (imported.company, imported.item.server) == (cnpj, scene.name):
            return Place("import", imported.place.file, imported.place.path[:-1])
    return None


def _of_link(scene: Scene, cnpj: str, difference: Difference) -> Iterator[FileEdit]:
    before, after = difference.change.before, difference.change.after
    place = _place(scene, cnpj)
    if before is None:
        yield from _gone(place)
    elif after is None or place is None:
        assert isinstance(before, Link)
        if scene.can_declare(before):
            yield from _added(scene, before)
    elif isinstance(before, Link) and place.kind != "own":
        yield from ((place.file, edit) for edit in _changed(scene, before, place))


def _gone(place: Place | None) -> Iterator[FileEdit]:
    if place and place.kind == "own":
        yield place.file, Put((*place.path, "linked"), Plain("false"), ENTRY_ORDER)
    elif place:
        yield place.file, Remove(place.path)


def _added(scene: Scene, link: Link) -> Iterator[FileEdit]:
    if not scene.row.company:
        path = (*scene.path, "companies")
        yield scene.file, Append(path, entries.link(link), ENTRY_ORDER)
    elif scene.has((*scene.path, "linked")):
        yield scene.file, Remove((*scene.path, "linked"))


def _changed(scene: Scene, link: Link, place: Place) -> Iterator[Edit]:
    active = Plain("true" if link.active else "false")
    given: dict[str, Value | None] = {
        "sender_name": link.sender_name,
        "active": None if link.active else active,
    }
    if place.kind == "item" and not scene.has((*place.path, "cnpj")):
        more = {key: value for key, value in given.items() if value is not None}
        yield Expand(place.path, "cnpj", more)
        return
    for key, value in given.items():
        path = (*place.path, key)
        if value is not None:
            yield Put(path, value, _LINK_ORDER)
        elif scene.has(path, place.file):
            yield Remove(path)
