"""State and what it is made of: the frozen values that both manifests and database are read into.

One `State` is everything one partner has. Its mappings are keyed by what a reader calls the row;
`Link` rows hang below the server they belong to, so that a rename moves none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

OptionName = Literal["port", "security", "verify_certificate", "ca_file", "timeout", "ehlo_name"]
OPTIONS: tuple[str, ...] = get_args(OptionName)
"""The advanced options of a mailbox, in the order they are shown."""
Ignorable = Literal[
    "nickname",
    "active",
    OptionName,
    "auth",
    "password_reference",
    "sender_name",
    "sender_email",
    "reply_to",
    "folder",
    "importable",
]
"""The fields of a mail server that can be left to other programs: those that do not identify it."""
IGNORABLE: frozenset[str] = frozenset(get_args(Ignorable))


class Partner(NamedTuple):
    """Owner of everything below. `project` is None where another program made the row."""

    id: str
    project: str | None


class Company(NamedTuple):
    """A registered establishment, by bare CNPJ."""

    cnpj: str
    nickname: str
    notification_email: str | None
    extensions: tuple[str, ...]
    own_mailboxes: bool
    project: str | None
    file: str | None


class HeadOffice(NamedTuple):
    """Which company of a CNPJ root is its head office; moving it changes this one value."""

    root: str
    cnpj: str


class HostProfile(NamedTuple):
    """The advanced options of a host and protocol, written once; None where it says nothing."""

    host: str
    protocol: str
    port: int | None
    security: str | None
    verify_certificate: bool | None
    ca_file: str | None
    timeout: int | None
    ehlo_name: str | None
    project: str | None
    file: str | None


class Origins(NamedTuple):
    """Where each advanced option came from: server, hosts, database, catalogue or default."""

    port: str
    security: str
    verify_certificate: str
    ca_file: str
    timeout: str
    ehlo_name: str

    def __str__(self) -> str:
        return " ".join(self)

    @classmethod
    @lru_cache(maxsize=4096)
    def parse(cls, text: str | None) -> Origins | None:
        """The origins that `str` wrote; None where a row has none, or has something else."""
        words = (text or "").split()
        return cls(*words) if len(words) == len(OPTIONS) else None


class MailServer(NamedTuple):
    """One mailbox, sending or reading, with its advanced options resolved.

    `stable_id` is the manifest's id, or what `called` makes of a row of another program.
    `password_reference` says where the password, or the document of `oauth2`, is, as in `env:NAME`;
    `timeout` is in seconds; `company` is the CNPJ of the company whose own file declares it; the
    fields of `ignore_changes` are left to other programs.
    """

    stable_id: str
    direction: str
    protocol: str
    nickname: str
    active: bool
    host: str
    port: int | None
    security: str | None
    verify_certificate: bool | None
    ca_file: str | None
    timeout: int | None
    ehlo_name: str | None
    origins: Origins | None
    auth: str
    username: str | None
    password_reference: str | None
    sender_name: str | None
    sender_email: str | None
    reply_to: str | None
    folder: str | None
    company: str | None
    importable: bool
    ignore_changes: tuple[str, ...]
    project: str | None
    file: str | None

    @property
    def mailbox(self) -> tuple[str, str, str]:
        """Two servers of a partner with the same value are the same mailbox."""
        return (self.protocol, self.host.lower(), self.username or "")

    @property
    def needs_password(self) -> bool:
        """Whether it cannot log in without a secret; one for `oauth2` may be prepared without."""
        return self.auth == "password" or (self.auth == "oauth2" and bool(self.active))

    def keeping(self, names: Iterable[str], row: MailServer) -> MailServer:
        """The same with those of these fields that can be ignored as they are in `row`.

        An advanced option brings along where it came from.
        """
        kept = {name: getattr(row, name) for name in names if name in IGNORABLE}
        if self.origins and row.origins:
            origins = {name: getattr(row.origins, name) for name in kept if name in OPTIONS}
            kept["origins"] = self.origins._replace(**origins)
        return self._replace(**kept)


def called(stable_id: str | None, number: int) -> str:
    """What a mail server is called: by its id, or by `#` and the number of its row if it has none.

    An id that begins with `#`, as no manifest's does, gets another one: so it is no row's number.
    """
    if stable_id is None:
        return f"#{number}"
    return f"#{stable_id}" if stable_id.startswith("#") else stable_id


def id_of(name: str) -> str | None:
    """The id in this name of a mail server; None where it has none."""
    if name.startswith("#"):
        return name[1:] if name.startswith("##") else None
    return name


class Link(NamedTuple):
    """A company of a mail server, with what it changes for that company."""

    cnpj: str
    sender_name: str | None
    active: bool
    project: str | None
    file: str | None


Row = Partner | Company | HeadOffice | HostProfile | MailServer | Link
Links = tuple[Link, ...]
"""The links of one server, sorted by CNPJ."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything one partner has."""

    partner: Partner | None = None
    companies: Mapping[str, Company] = field(default_factory=dict)
    head_offices: Mapping[str, HeadOffice] = field(default_factory=dict)
    hosts: Mapping[tuple[str, str], HostProfile] = field(default_factory=dict)
    servers: Mapping[str, MailServer] = field(default_factory=dict)
    links: Mapping[str, Links] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows there are."""
        rows: list[Sized] = [self.companies, self.head_offices, self.hosts, self.servers]
        return (self.partner is not None) + sum(map(len, [*rows, *self.links.values()]))

    def left_alone(self, project: str) -> int:
        """How many rows other programs or projects made; what was released is nobody's."""
        alone = sum(row.project != project for links in self.links.values() for row in links)
        rows: list[MailServer | Company | HostProfile] = [*self.servers.values()]
        for row in (*rows, *self.companies.values(), *self.hosts.values()):
            released = row.project is None and row.file is not None
            alone += row.project != project and not released
        return alone

    def renamed(self, new_names: Mapping[str, str]) -> State:
        """The same rows, with servers under their new names."""
        if not new_names:
            return self
        return replace(
            self,
            servers={new_names.get(name, name): row for name, row in self.servers.items()},
            links={new_names.get(name, name): rows for name, rows in self.links.items()},
        )


EMPTY = State()


KINDS: dict[type[Row], str] = {
    Partner: "partner",
    Company: "company",
    HeadOffice: "head_office",
    HostProfile: "host",
    MailServer: "server",
    Link: "link",
}
"""What each kind of row is called, in documents and in the ledger."""


def split_link(name: str) -> tuple[str, str]:
    """The server and the CNPJ in the name of a link."""
    return name.rpartition("/")[::2]


class RowKey(NamedTuple):
    """The one name of a row: its partner, its kind, and what it is called below its partner.

    A link's name is its server's and its company's bare CNPJ: `nfe-out/12345678000195`.
    """

    partner: str
    kind: str
    name: str

    @property
    def server(self) -> str:
        """The server that it is or belongs to; empty for other kinds."""
        if self.kind == "server":
            return self.name
        return split_link(self.name)[0] if self.kind == "link" else ""

    @property
    def address(self) -> str:
        """The name as it is shown: `server.acme/nfe-out`."""
        suffix = "" if self.kind == "partner" else f"/{self.name}"
        return f"{self.kind}.{self.partner}{suffix}"

    def of_server(self, server: str) -> RowKey:
        """The same row, its server being called `server`."""
        name = f"{server}/{split_link(self.name)[1]}" if self.kind == "link" else server
        return RowKey(self.partner, self.kind, name)
