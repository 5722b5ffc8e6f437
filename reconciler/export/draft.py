"""The rows of a partner → the text of the manifests that declare them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from reconciler.desired.options import foreign
from reconciler.diagnostics.words import KIND_WORDS, _
from reconciler.export import entries
from reconciler.export import options as advanced
from reconciler.export.names import file_stem
from reconciler.export.unsayable import LocalKey
from reconciler.manifests.yamltext import InQuotes, Value, entry
from reconciler.model.cnpj import masked
from reconciler.model.state import HostProfile, Links, MailServer, State

Section = tuple[str, Iterable[str]]
"""A key at the top of a file, and the text of each entry below it."""


class DraftFile(NamedTuple):
    """A manifest: name relative to the root, text, the CNPJ whose own file it is, and counts."""

    name: str
    text: str
    company: str | None
    companies: int = 0
    servers: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """The manifests of a partner.

    `names` leads from the ids in them to the names of servers in the state, and `links` from those
    to links in the order of their items. `profiles` is what is under `hosts:`.
    """

    files: tuple[DraftFile, ...]
    names: Mapping[str, str]
    links: Mapping[str, Links]
    profiles: Mapping[tuple[str, str], HostProfile]


@dataclass(frozen=True, slots=True)
class Material:
    """What the manifests of a partner are made from.

    `ids` are the ids of servers by their names in the state, `references` new references for
    passwords by the same names. `folder` is that of the files, relative to the root, and `size`
    how many bytes each may have.
    """

    partner: str
    state: State
    ids: Mapping[str, str]
    references: Mapping[str, str]
    folder: str
    size: int


def draft(material: Material, left_out: frozenset[LocalKey]) -> Draft:
    """The manifests that declare all rows but those that are `left_out`."""
    drafting = _Drafting(material, left_out)
    names = {material.ids[name]: name for name in drafting.servers}
    return Draft(tuple(drafting.files()), names, drafting.links, drafting.profiles)


class _Drafting:
    """One draft while it is written."""

    def __init__(self, material: Material, left_out: frozenset[LocalKey]) -> None:
        self._material = material
        self._state = material.state
        self._left_out = left_out
        self.servers = {
            name: row for name, row in self._state.servers.items() if self._has("server", name)
        }
        self.links = {
            name: tuple(row for row in rows if self._has("link", f"{name}/{row.cnpj}"))
            for name, rows in self._state.links.items()
            if name in self.servers
        }
        self._foreign = foreign(self._state)
        self.profiles = self._declared_profiles()

    def _has(self, kind: str, name: str) -> bool:
        return (kind, name) not in self._left_out

    def _declared_profiles(self) -> dict[tuple[str, str], HostProfile]:
        """The profiles of the state, and for other hosts the options that their servers share."""
        declared = {
            key: row
            for key, row in self._state.hosts.items()
            if key[0] == key[0].lower() and self._has("host", "/".join(key))
        }
        by_endpoint: dict[tuple[str, str], list[MailServer]] = {}
        for _name, row in sorted(self.servers.items()):
            by_endpoint.setdefault(advanced.endpoint(row), []).append(row)
        for key, servers in by_endpoint.items():
            if key not in self._state.hosts and (
                profile := advanced.shared(servers, self._foreign.get(key))
            ):
                declared[key] = profile
        return declared

    def files(self) -> Iterator[DraftFile]:
        partner, size = self._material.partner, self._material.size
        stem = self._material.folder + file_stem(partner)
        sections: list[Section] = [
            ("hosts", self._host_entries()),
            ("companies", self._company_entries()),
            ("mail_servers", self._server_entries(None)),
        ]
        head = entries.file_head(partner, None) + "".join(self._remarks())
        yield from _packed(_Part(head), sections, size, stem)
        for cnpj in sorted({row.company for row in self.servers.values() if row.company}):
            # A text that is no CNPJ must not lead into another folder.
            name = cnpj if cnpj.isascii() and cnpj.isalnum() else "company"
            part = _Part(entries.file_head(partner, cnpj), cnpj)
            own = [("mail_servers", self._server_entries(cnpj))]
            yield from _packed(part, own, size, f"{stem}/{name}")

    def _remarks(self) -> Iterator[str]:
        for kind, name in sorted(self._left_out):
            # The name is another program's: in a comment it must not end the line.
            words = _("left out, for no manifest can say it: {kind} {name}")
            yield f"# {words.format(kind=_(KIND_WORDS[kind]), name=json.dumps(name))}\n"

    def _host_entries(self) -> Iterator[str]:
        by_host: dict[str, list[HostProfile]] = {}
        for _key, profile in sorted(self.profiles.items()):
            by_host.setdefault(profile.host, []).append(profile)
        for host, profiles in by_host.items():
            yield _text(host, entries.hosts(profiles))

    def _company_entries(self) -> Iterator[str]:
        heads = {cnpj for row in self._state.head_offices.values() for cnpj in row.cnpj.split()}
        for cnpj, row in sorted(self._state.companies.items()):
            if self._has("company", cnpj):
                key = InQuotes(masked(cnpj))
                yield _text(key, entries.company(row, head_office=cnpj in heads))

    def _server_entries(self, company: str | None) -> Iterator[str]:
        ids = self._material.ids
        for name in sorted(self.servers, key=ids.__getitem__):
            row = self.servers[name]
            if row.company == company:
                yield _text(ids[name], self._server(name, row))

    def _server(self, name: str, row: MailServer) -> dict[str, Value]:
        key = advanced.endpoint(row)
        options = advanced.needed(row, self.profiles.get(key), self._foreign.get(key))
        fields = entries.server(row, options, self.links.get(name, ()))
        reference = self._material.references.get(name)
        return entries.with_password(fields, reference) if reference else fields


def _text(key: str, value: Value) -> str:
    return "".join(f"{line}\n" for line in entry(key, value, indent=2))


def _packed(part: _Part, sections: Iterable[Section], size: int, stem: str) -> Iterator[DraftFile]:
    """Files with all entries, each with the head of the first and at most `size` bytes."""
    names = (f"{stem}.yaml" if number == 1 else f"{stem}/part-{number}.yaml" for number in count(1))
    for key, texts in sections:
        for text in texts:
            if part.is_full(key, text, size):
                yield part.file(next(names))
                part = _Part(part.head, part.company)
            part.add(key, text)
    yield part.file(next(names))


@dataclass(slots=True)
class _Part:
    """A file while entries are put into it."""

    head: str
    company: str | None = None
    pieces: list[str] = field(default_factory=list)
    section: str = ""
    size: int = 0
    entries: Counter[str] = field(default_factory=Counter)

    def is_full(self, key: str, text: str, size: int) -> bool:
        """Whether a further entry would make it larger than `size`; the first always fits."""
        added = len(self._opening(key)) + len(text.encode())
        return bool(self.section) and len(self.head.encode()) + self.size + added > size

    def add(self, key: str, text: str) -> None:
        piece = self._opening(key) + text
        self.size += len(piece.encode())
        self.pieces.append(piece)
        self.section = key
        self.entries[key] += 1

    def file(self, name: str) -> DraftFile:
        counts = self.entries["companies"], self.entries["mail_servers"]
        return DraftFile(name, "".join([self.head, *self.pieces]), self.company, *counts)

    def _opening(self, key: str) -> str:
        return "" if key == self.section else f"\n{key}:\n"
