"""What differs between the manifests and the row of a mail server → edits that write the row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.desired.desire import Comparison
from reconciler.desired.link import DOCUMENT_IMPORT
from reconciler.export import entries
from reconciler.export.adopt.sheets import Sheets
from reconciler.manifests.declaration import ServerDeclaration
from reconciler.manifests.edit import Cursor
from reconciler.manifests.yamltext import Plain
from reconciler.model.state import OPTIONS, Link, MailServer, State
from reconciler.plan.diff import Change
from reconciler.plan.ownership import Difference
from reconciler.secrets.references import Reference, from_text
from reconciler.secrets.stores.kinds import KINDS

_LINK_ORDER = ("cnpj", "head_office", "partner", "sender_name", "active")
_ORDER = (*entries.SERVER_KEYS, "renamed_from", "exclusive_links", "linked", "companies")


@dataclass(frozen=True, slots=True)
class AdoptedRow:
    """A mail server by the name it has in the manifests, and the sheets that it is written in."""

    name: str
    comparison: Comparison
    sheets: Sheets
    project: str

    @property
    def row(self) -> MailServer:
        return self.comparison.before.servers[self.name]

    @property
    def declared(self) -> ServerDeclaration:
        return self.comparison.declaration.servers[self.name]

    @property
    def entry(self) -> Cursor:
        place = self.declared.place
        return self.sheets.at(place.file, place.path)

    def link(self, cnpj: str) -> Cursor | None:
        """Where the link to a company is written; None if it is not, or only as one of many."""
        for index, item in enumerate(self.declared.links):
            if item.kind == "company" and item.cnpj == cnpj:
                return self.entry / "companies" / index
        for imported in self.comparison.declaration.imports:
            if (imported.company, imported.item.server) == (cnpj, self.name):
                return self.sheets.at(imported.place.file, imported.place.path[:-1])
        return None

    def host_option(self, name: str) -> Cursor | None:
        """Where an option is under `hosts:`, if all servers that take it from there agree on it."""
        declaration, own = self.comparison.declaration, self.declared.server
        key = (own.host, own.protocol)
        profile = declaration.hosts.get(key)
        if profile is None or getattr(profile.profile, name) is None:
            return None
        users = [
            stable_id
            for stable_id, item in declaration.servers.items()
            if (item.server.host, item.server.protocol) == key
            and getattr(item.server, name) is None
        ]
        rows = [self.comparison.before.servers.get(stable_id) for stable_id in users]
        value = getattr(self.row, name)
        agree = all(row is not None and getattr(row, name) == value for row in rows)
        if self.name not in users or not agree:
            return None
        return self.sheets.at(profile.place.file, profile.place.path) / name


def can_declare(row: MailServer, link: Link, state: State) -> bool:
    """Whether a manifest may link this company of `state` to a server."""
    if row.company:
        return (link.cnpj, link.sender_name, link.active) == (row.company, None, True)
    company = state.companies.get(link.cnpj)
    if company is None:
        return False
    return row.direction != "incoming" or DOCUMENT_IMPORT in company.extensions


def write_back(server: AdoptedRow, differences: Iterable[Difference], *, hosts: bool) -> None:
    """Make the edits that settle these differences, as far as edits can.

    With `hosts`, an option that all servers of the host have is written under `hosts:`.
    """
    fields: set[str] = set()
    links: dict[str, Change] = {}
    for change, field, _before, _after in differences:
        if isinstance(change.row, Link):
            links[change.row.cnpj] = change
        elif isinstance(change.row, MailServer) and field:
            fields.add(field)
    _write_fields(server, fields, hosts=hosts)
    for cnpj, change in links.items():
        _write_link(server, cnpj, change)
    after = server.comparison.desired.state
    for link in after.links.get(server.name, ()):
        if link.project != server.project and can_declare(server.row, link, after):
            _add_link(server, link)


def _write_fields(server: AdoptedRow, fields: set[str], *, hosts: bool) -> None:
    entry = server.entry
    if fields & {"sender_name", "sender_email"}:
        _write_sender(entry / "sender", server.row)
    has_port = (entry / "port").exists or (hosts and server.host_option("port"))
    if "security" in fields and not has_port:
        fields = fields - {"port"}  # another security may imply the right one
    for field in sorted(fields, key=MailServer._fields.index):
        if field in OPTIONS:
            at = (server.host_option(field) if hosts else None) or entry / field
            at.write(entries.full_value(server.row, field), _ORDER)
        elif field == "password_reference":
            _write_password(server)
        elif field in entries.SERVER_KEYS:
            at = entry / field
            value = (entries.full_value if at.exists else entries.value_of)(server.row, field)
            at.write(value, _ORDER)


def _write_sender(at: Cursor, row: MailServer) -> None:
    whole = entries.full_value(row, "sender")
    if whole is None or not at.exists:
        at.write(whole, _ORDER)
        return
    for part, value in (("name", row.sender_name), ("email", row.sender_email)):
        (at / part).write(value, ("name", "email"))


def _write_password(server: AdoptedRow) -> None:
    at = server.entry / "password"
    new, old = server.row.password_reference, server.declared.server.password_reference
    if not (new and old and _write_name(at, from_text(new), from_text(old))):
        at.write(entries.reference(new), _ORDER)


def _write_name(at: Cursor, new: Reference, old: Reference) -> bool:
    """Replace only the name in a reference, if it has nothing else; whether that was possible."""
    name = at / old.store
    if KINDS[new.store].word or KINDS[old.store].word or not name.exists:
        return False
    name.write(new.name)
    if new.store != old.store:
        name.sheet.rename(name.path, new.store)
    return True


def _write_link(server: AdoptedRow, cnpj: str, change: Change) -> None:
    before, after = change.before, change.after
    own = server.declared.server.company
    at = None if own else server.link(cnpj)
    if not isinstance(before, Link):
        if own:
            (server.entry / "linked").write(Plain("false"), _ORDER)
        elif at:
            at.write(None)
    elif after is None or not (own or at):
        if can_declare(server.row, before, server.comparison.desired.state):
            _add_link(server, before)
    elif at:
        _change_link(at, before)


def _add_link(server: AdoptedRow, link: Link) -> None:
    if server.row.company:
        (server.entry / "linked").write(None)
    else:
        companies = server.entry / "companies"
        companies.sheet.append(companies.path, entries.link(link), _ORDER)


def _change_link(at: Cursor, link: Link) -> None:
    options = entries.link_options(link)
    if at.path[0] == "mail_servers" and not (at / "cnpj").exists:  # the item is a bare CNPJ
        at.sheet.expand(at.path, "cnpj", options)
        return
    for key in ("sender_name", "active"):
        (at / key).write(options.get(key), _LINK_ORDER)
