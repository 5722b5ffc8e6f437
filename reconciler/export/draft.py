"""One partner's rows → the text of the manifests that declare them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from reconciler.diagnostics.words import KIND_WORDS, _
from reconciler.export import entries
from reconciler.export import options as advanced
from reconciler.export.names import file_stem
from reconciler.export.unsayable import RowName
from reconciler.manifests.yamltext import InQuotes, Plain, Value, entry
from reconciler.model.cnpj import masked
from reconciler.model.state import HostProfile, Links, MailServer, State

Section = tuple[str, list[str]]
"""A key at the top of a file, and the text of each entry below it."""


class Written(NamedTuple):
    """A manifest: its name relative to the root, its text, and how much it declares.

    `company` is the CNPJ of the company whose own file it is.
    """

    name: str
    text: str
    company: str | None
    companies: int = 0
    servers: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """The manifests of a partner.

    `names` leads from the ids in them to what the servers are called in the state, `links` from
    there to the links in the order of their items. `profiles` is what is under `hosts:`.
    """

    files: tuple[Written, ...]
    names: Mapping[str, str]
    links: Mapping[str, Links]
    profiles: Mapping[tuple[str, str], HostProfile]


@dataclass(frozen=True, slots=True)
class Source:
    """What a partner's manifests are made from.

    `ids` and `references` are the ids of servers and the places of passwords that were made up for
    them; `folder` is where the files are, relative to the root, and `size` how many bytes each has
    at most.
    """

    partner: str
    state: State
    ids: Mapping[str, str]
    references: Mapping[str, str]
    folder: str
    size: int


def draft(source: Source, left_out: frozenset[RowName]) -> Draft:
    """The manifests that declare all rows but those that are `left_out`."""
    return _Drafting(source, left_out).draft()


class _Drafting:
    """One draft while it is written."""

    def __init__(self, source: Source, left_out: frozenset[RowName]) -> None:
        self._source = source
        self._state = source.state
        self._left_out = left_out
        self._servers = {
            name: row for name, row in source.state.servers.items() if self._has("server", name)
        }
        self._links = {name: self._links_of(name) for name in self._servers}
        self._foreign = {
            (row.host.lower(), row.protocol): row
            for row in source.state.hosts.values()
            if row.project is None and row.file is None
        }
        self._profiles = self._declared_profiles()

    def draft(self) -> Draft:
        names = {self._source.ids[name]: name for name in self._servers}
        files = (*self._partner_files(), *self._company_files())
        return Draft(files, names, self._links, self._profiles)

    def _has(self, kind: str, name: str) -> bool:
        return (kind, name) not in self._left_out

    def _links_of(self, name: str) -> Links:
        links = self._state.links.get(name, ())
        return tuple(row for row in links if self._has("link", f"{name}/{row.cnpj}"))

    # Hosts

    def _declared_profiles(self) -> dict[tuple[str, str], HostProfile]:
        """The profiles that there are, and for other hosts what their servers share."""
        declared = {
            key: row
            for key, row in self._state.hosts.items()
            if key[0] == key[0].lower() and self._has("host", "/".join(key))
        }
        for key, servers in self._by_endpoint().items():
            if key not in self._state.hosts:
                profile = advanced.shared(servers, self._foreign.get(key))
                if profile:
                    declared[key] = profile
        return declared

    def _by_endpoint(self) -> dict[tuple[str, str], list[MailServer]]:
        groups: dict[tuple[str, str], list[MailServer]] = {}
        for name in sorted(self._servers):
            row = self._servers[name]
            groups.setdefault((row.host.lower(), row.protocol), []).append(row)
        return groups

    # Entries

    def _partner_files(self) -> Iterator[Written]:
        sections = [
            ("hosts", list(self._host_entries())),
            ("companies", list(self._company_entries())),
            ("mail_servers", list(self._server_entries(None))),
        ]
        stem = self._source.folder + file_stem(self._source.partner)
        head = self._head() + "".join(self._remarks())
        yield from _packed(_Part(head), sections, self._source.size, _numbered(stem))

    def _company_files(self) -> Iterator[Written]:
        owners = sorted({row.company for row in self._servers.values() if row.company})
        for cnpj in owners:
            sections = [("mail_servers", list(self._server_entries(cnpj)))]
            stem = f"{self._source.folder}{file_stem(self._source.partner)}/{_file_name(cnpj)}"
            part = _Part(self._head(cnpj), cnpj)
            yield from _packed(part, sections, self._source.size, _numbered(stem))

    def _head(self, company: str | None = None) -> str:
        keys: dict[str, Value] = {"version": Plain("1"), "partner": self._source.partner}
        if company:
            keys["company"] = InQuotes(masked(company))
        return "".join(_text(key, value) for key, value in keys.items())

    def _remarks(self) -> Iterator[str]:
        for kind, name in sorted(self._left_out):
            # The name is another program's: in a comment it must not end the line.
            words = _("left out, for no manifest can say it: {kind} {name}")
            yield f"# {words.format(kind=_(KIND_WORDS[kind]), name=json.dumps(name))}\n"

    def _host_entries(self) -> Iterator[str]:
        by_host: dict[str, list[HostProfile]] = {}
        for _key, profile in sorted(self._profiles.items()):
            by_host.setdefault(profile.host, []).append(profile)
        for host, profiles in by_host.items():
            yield _text(host, entries.hosts(profiles), 2)

    def _company_entries(self) -> Iterator[str]:
        heads = {cnpj for row in self._state.head_offices.values() for cnpj in row.cnpj.split()}
        for cnpj, row in sorted(self._state.companies.items()):
            if self._has("company", cnpj):
                key = InQuotes(masked(cnpj))
                yield _text(key, entries.company(row, head_office=cnpj in heads), 2)

    def _server_entries(self, company: str | None) -> Iterator[str]:
        ids = self._source.ids
        for name in sorted(self._servers, key=ids.__getitem__):
            row = self._servers[name]
            if row.company == company:
                yield _text(ids[name], self._server(name, row), 2)

    def _server(self, name: str, row: MailServer) -> dict[str, Value]:
        key = (row.host.lower(), row.protocol)
        options = advanced.needed(row, self._profiles.get(key), self._foreign.get(key))
        written = entries.server(row, options)
        if name in self._source.references:
            written = entries.with_password(written, self._source.references[name])
        links = self._links[name]
        if row.company is None and links:
            written["companies"] = [_link(link) for link in links]
        elif row.company and not any(link.cnpj == row.company for link in links):
            written["linked"] = Plain("false")
        return written


_link = lru_cache(maxsize=1 << 16)(entries.link)


def _text(key: str, value: Value, indent: int = 0) -> str:
    return "".join(f"{line}\n" for line in entry(key, value, indent))


def _file_name(cnpj: str) -> str:
    """A CNPJ as a file is called; what is none must not lead elsewhere."""
    return cnpj if cnpj.isascii() and cnpj.isalnum() else "company"


def _numbered(stem: str) -> Iterator[str]:
    """Names for the parts of a file that may be too large for one."""
    yield f"{stem}.yaml"
    yield from (f"{stem}/part-{number}.yaml" for number in count(2))


def _packed(
    first: _Part, sections: Iterable[Section], size: int, names: Iterator[str]
) -> Iterator[Written]:
    """Files with all entries, each with the same head and of `size` bytes at most."""
    part = first
    for key, texts in sections:
        for text in texts:
            if part.entries and part.bytes_with(key, text) > size:
                yield part.written(next(names))
                part = part.another()
            part.add(key, text)
    yield part.written(next(names))


class _Part:
    """A file while entries are put into it."""

    def __init__(self, head: str, company: str | None = None) -> None:
        self._head = head
        self._company = company
        self._pieces = [head]
        self._size = len(head.encode())
        self._section = ""
        self._counts: dict[str, int] = {}

    def another(self) -> _Part:
        """An empty one of the same kind."""
        return _Part(self._head, self._company)

    @property
    def entries(self) -> int:
        return sum(self._counts.values())

    def bytes_with(self, key: str, text: str) -> int:
        return self._size + len(self._opening(key)) + len(text.encode())

    def add(self, key: str, text: str) -> None:
        self._size = self.bytes_with(key, text)
        self._pieces += [self._opening(key), text]
        self._section = key
        self._counts[key] = self._counts.get(key, 0) + 1

    def written(self, name: str) -> Written:
        counts = (self._counts.get(key, 0) for key in ("companies", "mail_servers"))
        return Written(name, "".join(self._pieces), self._company, *counts)

    def _opening(self, key: str) -> str:
        return "" if key == self._section else f"\n{key}:\n"
