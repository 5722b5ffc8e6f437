"""Generated rows, states, and estates that change from one commit to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st
from sqlalchemy import Engine, text

from reconciler.database.engine import transaction
from reconciler.model.cnpj import masked, root
from reconciler.model.state import (
    Company,
    HeadOffice,
    HostProfile,
    Link,
    Links,
    MailServer,
    Origins,
    Partner,
    State,
)
from tests.support.estates import (
    HOST,
    PARTNER,
    Manifest,
    cnpj,
    companies,
    incoming,
    manifest,
    outgoing,
    sorted_links,
)

CNPJS = [cnpj(1), cnpj(2), cnpj(3), cnpj(1, root="AB12CD34"), cnpj(2, root="AB12CD34")]
NAMES = ["a", "b", "c", "nfe-out", "x.y"]
HOSTS = ["mail.acme.example", "smtp.gmail.com", "Mail.Acme.Example"]
PROTOCOLS = ["smtp", "imap", "pop3"]
T = TypeVar("T")

# NUL is refused in manifests, and PostgreSQL cannot store it.
_characters = st.characters(codec="utf-8", exclude_characters="\x00")
_text = st.text(_characters, min_size=1, max_size=8)
_maybe_text = st.none() | _text
_project = st.sampled_from(["", "", None, "other"])
_file = st.sampled_from([None, "acme.yaml", "sub/other.yaml"])
_port = st.none() | st.integers(1, 65535)
_security = st.sampled_from([None, "tls", "starttls", "none"])
_flag = st.none() | st.booleans()
_timeout = st.none() | st.integers(1, 600)
_origin = st.sampled_from(["server", "hosts", "database", "catalogue", "default"])
_origins = st.none() | st.builds(Origins, *[_origin] * 6)
_extensions = st.sampled_from([(), ("document_import",), ("document_import", "other")])

links_of = {
    number: st.builds(Link, st.just(number), _maybe_text, st.booleans(), _project, _file)
    for number in CNPJS
}


def companies_of(number: str) -> st.SearchStrategy[Company]:
    return st.builds(
        Company,
        cnpj=st.just(number),
        nickname=_text,
        notification_email=_maybe_text,
        extensions=_extensions,
        own_mailboxes=st.booleans(),
        project=_project,
        file=_file,
    )


def profiles_of(key: tuple[str, str]) -> st.SearchStrategy[HostProfile]:
    return st.builds(
        HostProfile,
        st.just(key[0]),
        st.just(key[1]),
        _port,
        _security,
        _flag,
        _maybe_text,
        _timeout,
        _maybe_text,
        _project,
        _file,
    )


def servers_of(name: str, numbers: list[str]) -> st.SearchStrategy[MailServer]:
    """Any server of this name; one of these companies may own it."""
    return st.builds(
        MailServer,
        stable_id=st.just(name),
        direction=st.sampled_from(["outgoing", "incoming"]),
        protocol=st.sampled_from(PROTOCOLS),
        nickname=_text,
        active=st.booleans(),
        host=st.sampled_from(HOSTS),
        port=_port,
        security=_security,
        verify_certificate=_flag,
        ca_file=_maybe_text,
        timeout=_timeout,
        ehlo_name=_maybe_text,
        origins=_origins,
        auth=st.sampled_from(["password", "oauth2", "none"]),
        username=_maybe_text,
        password_reference=st.sampled_from([None, "env:ACME_A", "file:acme-b"]),
        sender_name=_maybe_text,
        sender_email=_maybe_text,
        reply_to=_maybe_text,
        folder=_maybe_text,
        company=st.sampled_from([None, *numbers]),
        importable=st.booleans(),
        ignore_changes=st.sampled_from([(), (), ("active",), ("port", "sender_name")]),
        project=_project,
        file=_file,
    )


def _some(draw: st.DrawFn, pool: list[T]) -> list[T]:
    return [item for item in pool if draw(st.booleans())]


@st.composite
def states(
    draw: st.DrawFn, names: tuple[str, ...] | None = None, base: State | None = None
) -> State:
    """Any state that a database can hold.

    Its servers have these names, where they are given; companies and hosts of `base` are in it too.
    """
    base = base or State()
    numbers = sorted({*base.companies, *_some(draw, CNPJS)})
    keys = sorted({*base.hosts, *_some(draw, [(host, "smtp") for host in HOSTS])})
    called = _some(draw, NAMES) if names is None else list(names)
    heads = {root(number): number for number in _some(draw, numbers)}
    links = {name: _links(draw, numbers) for name in called}
    return State(
        partner=base.partner or Partner(PARTNER, draw(_project)),
        companies={
            number: _same_or(draw, base.companies, number, companies_of) for number in numbers
        },
        head_offices={base: HeadOffice(base, number) for base, number in heads.items()},
        hosts={key: _same_or(draw, base.hosts, key, profiles_of) for key in keys},
        servers={name: draw(servers_of(name, numbers)) for name in called},
        links={name: rows for name, rows in links.items() if rows},
    )


def _links(draw: st.DrawFn, numbers: list[str]) -> Links:
    return sorted_links(draw(links_of[number]) for number in _some(draw, numbers))


def _same_or(draw: st.DrawFn, known: Mapping[Any, T], key: Any, anew: Any) -> T:
    """The row that is known already, or another for the same key."""
    if key in known and draw(st.booleans()):
        return known[key]
    row: T = draw(anew(key))
    return row


class Transition(NamedTuple):
    """Two states, and what the servers of the first are called in the second."""

    before: State
    after: State
    new_names: dict[str, str]

    @property
    def renamed(self) -> State:
        return self.before.renamed(self.new_names)


@st.composite
def transitions(draw: st.DrawFn, before: State | None = None) -> Transition:
    """Any two states that an apply can lead across: servers come, go, stay and change their names.

    What goes is not linked, nothing is called as it was, and companies and hosts stay. The first is
    `before` where that is given.
    """
    before = before or draw(states())
    going = [name for name in _some(draw, sorted(before.servers)) if name not in before.links]
    staying = [name for name in before.servers if name not in going]
    free = draw(st.permutations([name for name in NAMES if name not in going]))
    new_names = dict(zip(staying, free, strict=False))
    if draw(st.booleans()):
        new_names = {name: name for name in staying}
    coming = _some(draw, [name for name in free if name not in new_names.values()])
    after = draw(states((*new_names.values(), *coming), before))
    after = _partly_kept(draw, before, after, new_names)
    return Transition(before, after, {old: new for old, new in new_names.items() if old != new})


def _partly_kept(draw: st.DrawFn, before: State, after: State, new_names: dict[str, str]) -> State:
    """`after` with some servers and links as they were before."""
    servers, links = dict(after.servers), dict(after.links)
    for old, new in new_names.items():
        if draw(st.booleans()):
            servers[new] = before.servers[old]._replace(stable_id=new)
        if draw(st.booleans()):
            links.pop(new, None)
            if old in before.links:
                links[new] = before.links[old]
    return State(after.partner, after.companies, after.head_offices, after.hosts, servers, links)


# Manifests

_name = st.sampled_from(["Acme", "Filial Açaí", "no", "12E45678000106", "0x1F", "#1"])
_options = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.sampled_from(["20s", "2m"]),
        "port": st.sampled_from([465, 587, 2525]),
        "ca_file": st.just("acme.pem"),
        "security": st.sampled_from(["tls", "starttls"]),
    },
)


@st.composite
def manifests(draw: st.DrawFn, partner: str = PARTNER) -> dict[str, Manifest]:
    """The manifests of a partner, with nothing in them that the rules refuse."""
    declared = {number: draw(_companies()) for number in _some(draw, CNPJS)}
    for base in sorted({root(number) for number in declared}):
        if draw(st.booleans()):
            of_root = [number for number in declared if root(number) == base]
            declared[draw(st.sampled_from(of_root))]["head_office"] = True
    servers = {name: draw(_servers(name, declared)) for name in _some(draw, NAMES)}
    sections: Manifest = {
        "companies": {masked(number): entry for number, entry in declared.items()},
        "mail_servers": servers,
    }
    if draw(st.booleans()):
        sections["hosts"] = {HOST: draw(_protocols())}
    files: dict[str, Manifest] = {f"{partner}.yaml": manifest(partner, **sections)}
    if draw(st.booleans()) and declared:
        number = draw(st.sampled_from([*declared]))
        declared[number]["own_mailboxes"] = True
        files[f"{partner}/{number}.yaml"] = draw(_company_files(partner, number, servers))
    return files


@st.composite
def _companies(draw: st.DrawFn) -> Manifest:
    entry: Manifest = {"nickname": draw(_name), "notification_email": "fiscal@acme.example"}
    if draw(st.booleans()):
        entry["extensions"] = ["document_import"]
    return entry


@st.composite
def _protocols(draw: st.DrawFn) -> Manifest:
    return {protocol: draw(_options) for protocol in _some(draw, PROTOCOLS)}


@st.composite
def _servers(draw: st.DrawFn, name: str, declared: dict[str, Manifest]) -> Manifest:
    keys = {**draw(_options), "nickname": draw(_name), "active": draw(st.booleans())}
    reads = [number for number, entry in declared.items() if "extensions" in entry]
    if draw(st.booleans()):
        return incoming(name, companies=draw(_link_items(reads)), **keys)
    return outgoing(name, companies=draw(_link_items([*declared])), **keys)


@st.composite
def _link_items(draw: st.DrawFn, numbers: list[str]) -> list[Any]:
    items: list[Any] = []
    for number in _some(draw, numbers):
        keys = draw(st.fixed_dictionaries({}, optional={"sender_name": _name}))
        items.append({"cnpj": number, **keys} if keys else masked(number))
    if draw(st.booleans()):
        items.append({"all": True, "active": draw(st.booleans())})
    if draw(st.booleans()) and numbers:
        items.append({"branches_of": draw(st.sampled_from(numbers))})
    return items


@st.composite
def _company_files(
    draw: st.DrawFn, partner: str, number: str, servers: dict[str, Manifest]
) -> Manifest:
    free = [
        name
        for name, entry in servers.items()
        if entry["direction"] == "outgoing" and not _names(entry["companies"], number)
    ]
    own = {f"own-{name}": outgoing(f"own-{name}") for name in _some(draw, ["a", "b"])}
    imports = [{"partner": name} for name in _some(draw, free)]
    return manifest(partner, company=number, import_from=imports, mail_servers=own)


def _names(items: list[Any], number: str) -> bool:
    return any(
        (item.get("cnpj") if isinstance(item, dict) else item) in (number, masked(number))
        for item in items
    )


# One commit after the other


FILES = ["acme.yaml", "more.yaml", "beta.yaml"]
OWN = "own.yaml"
COMPANIES = {
    "acme": [cnpj(1), cnpj(2), cnpj(3)],
    "beta": [cnpj(1, root=87654321), cnpj(2, root=87654321)],
}


class Edit(NamedTuple):
    """One edit of the manifests, or something that another program does to the database."""

    kind: str
    file: str
    name: str
    other: str
    number: int
    flag: bool


class Editor:
    """Manifests of two partners, edited; and another program at work in their database."""

    KINDS = (
        *("put", "put", "put", "remove", "remove", "rename", "swap", "unlink", "unlink", "all"),
        *("active", "link-active", "move", "exclusive", "tidy", "own", "own-unlinked", "disown"),
        *("company", "no-company", "no-file", "foreign-server", "taken", "taken"),
        *("foreign-link", "foreign-link", "foreign-link", "foreign-host", "hosts", "hosts"),
    )

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._gone: set[str] = set()
        self.files: dict[str, Manifest] = {}
        for file in FILES:
            numbers = COMPANIES[_partner(file)] if file != "more.yaml" else []
            self.files[file] = manifest(
                _partner(file),
                companies=companies(*numbers, own_mailboxes=True),
                mail_servers={
                    name: outgoing(f"{name}-{file}", companies=numbers[:linked])
                    for name, linked in (("a", 2), ("b", 0))
                    if file != "more.yaml"
                },
            )
        self.files[OWN] = manifest(company=COMPANIES["acme"][0], mail_servers={})

    def manifests(self, *, whole: bool) -> dict[str, Manifest]:
        """What is given to the next run."""
        gone = self._gone if whole else {*self._gone, "more.yaml"}
        return {name: content for name, content in self.files.items() if name not in gone}

    def exclusive(self) -> set[tuple[str, str]]:
        """The servers whose list of companies is the whole truth."""
        return {
            (content["partner"], name)
            for content in self.files.values()
            for name, entry in content["mail_servers"].items()
            if entry.get("exclusive_links")
        }

    def make(self, edit: Edit) -> None:
        """Make one edit, where it can be made."""
        if edit.kind not in self._OF_A_SERVER or edit.name in self._servers(edit):
            getattr(self, "_" + edit.kind.replace("-", "_"))(edit)

    _OF_A_SERVER = (
        *("remove", "rename", "swap", "unlink", "all", "active", "link-active", "move"),
        "exclusive",
    )

    def _servers(self, edit: Edit) -> Manifest:
        servers: Manifest = self.files[edit.file]["mail_servers"]
        return servers

    def _put(self, edit: Edit) -> None:
        numbers = COMPANIES[_partner(edit.file)][: edit.number]
        self._servers(edit)[edit.name] = outgoing(f"{edit.other}-{edit.file}", companies=numbers)

    def _remove(self, edit: Edit) -> None:
        del self._servers(edit)[edit.name]

    def _rename(self, edit: Edit) -> None:
        servers = self._servers(edit)
        if edit.other not in servers:
            servers[edit.other] = {**servers.pop(edit.name), "renamed_from": edit.name}

    def _swap(self, edit: Edit) -> None:
        servers = self._servers(edit)
        if edit.other in servers and edit.other != edit.name:
            one, other = servers[edit.name], servers[edit.other]
            servers[edit.name] = {**other, "renamed_from": edit.other}
            servers[edit.other] = {**one, "renamed_from": edit.name}

    def _unlink(self, edit: Edit) -> None:
        self._servers(edit)[edit.name]["companies"] = []

    def _all(self, edit: Edit) -> None:
        self._servers(edit)[edit.name]["companies"] = [{"all": True}]

    def _active(self, edit: Edit) -> None:
        self._servers(edit)[edit.name]["active"] = edit.flag

    def _link_active(self, edit: Edit) -> None:
        number = COMPANIES[_partner(edit.file)][0]
        self._servers(edit)[edit.name]["companies"] = [{"cnpj": number, "active": edit.flag}]

    def _move(self, edit: Edit) -> None:
        if edit.file != "beta.yaml":
            other = "more.yaml" if edit.file == "acme.yaml" else "acme.yaml"
            self.files[other]["mail_servers"][edit.name] = self._servers(edit).pop(edit.name)

    def _exclusive(self, edit: Edit) -> None:
        self._servers(edit)[edit.name]["exclusive_links"] = edit.flag

    def _tidy(self, edit: Edit) -> None:
        for entry in self._servers(edit).values():
            entry.pop("renamed_from", None)

    def _own(self, edit: Edit) -> None:
        self.files[OWN]["mail_servers"][f"own-{edit.name}"] = outgoing(f"own-{edit.name}")

    def _own_unlinked(self, edit: Edit) -> None:
        if entry := self.files[OWN]["mail_servers"].get(f"own-{edit.name}"):
            entry["linked"] = edit.flag

    def _disown(self, edit: Edit) -> None:
        self.files[OWN]["mail_servers"].pop(f"own-{edit.name}", None)

    def _company(self, edit: Edit) -> None:
        numbers = COMPANIES[_partner(edit.file)]
        number = numbers[edit.number % len(numbers)]
        for file in FILES:
            self.files[file]["companies"].pop(masked(number), None)
        declared = self.files[edit.file]["companies"]
        declared |= companies(number, own_mailboxes=True, head_office=edit.flag)

    def _no_company(self, edit: Edit) -> None:
        declared = self.files[edit.file]["companies"]
        declared.pop(next(iter(declared), ""), None)

    def _no_file(self, edit: Edit) -> None:
        if edit.flag:
            self._gone.add(edit.file)
        else:
            self._gone.clear()

    def _hosts(self, edit: Edit) -> None:
        for file in FILES:
            if _partner(file) == _partner(edit.file):
                self.files[file].pop("hosts", None)
        if edit.flag:
            options = [{"timeout": "1m"}, {"port": 587}, {"security": "starttls"}]
            self.files[edit.file]["hosts"] = {HOST: {"smtp": options[edit.number]}}

    def _foreign_host(self, edit: Edit) -> None:
        self._write(
            "INSERT INTO host_profile (partner, host, protocol, timeout, security) "
            f"SELECT id, '{HOST}', 'smtp', :timeout, 'starttls' FROM partner WHERE id = :partner "
            "AND NOT EXISTS (SELECT 1 FROM host_profile "
            f"WHERE partner = :partner AND host = '{HOST}' AND protocol = 'smtp')",
            timeout=40 + edit.number,
            partner=_partner(edit.file),
        )

    def _foreign_link(self, edit: Edit) -> None:
        self._write(
            "INSERT INTO link (mail_server_id, cnpj) "
            "SELECT pair.id, pair.cnpj FROM ("
            "SELECT mail_server.id, company.cnpj FROM mail_server "
            "JOIN company ON company.partner = mail_server.partner "
            "WHERE company.partner = :partner AND coalesce(stable_id, :name) = :name "
            "ORDER BY company.cnpj, mail_server.id LIMIT 1 OFFSET :number) AS pair "
            "WHERE NOT EXISTS (SELECT 1 FROM link "
            "WHERE link.mail_server_id = pair.id AND link.cnpj = pair.cnpj)",
            partner=_partner(edit.file),
            name=edit.name,
            number=edit.number,
        )

    def _foreign_server(self, edit: Edit) -> None:
        """A server that may be the very mailbox that a manifest declares or is about to."""
        self._write(
            "INSERT INTO mail_server "
            "(partner, stable_id, direction, protocol, nickname, host, username) "
            "SELECT id, :name, 'outgoing', 'smtp', 'Foreign', :host, :username "
            "FROM partner WHERE id = :partner AND NOT EXISTS (SELECT 1 FROM mail_server "
            "WHERE mail_server.partner = :partner AND stable_id = :same)",
            name=edit.name if edit.flag else None,
            same=edit.name if edit.flag else None,
            host=HOST.title(),
            username=f"{edit.other}-{edit.file}@acme.example",
            partner=_partner(edit.file),
        )

    def _taken(self, edit: Edit) -> None:
        """A server that another program has registered is declared."""
        self._put(edit)
        self._foreign_server(edit)
        self._foreign_link(edit)

    def _write(self, statement: str, **values: object) -> None:
        with transaction(self._engine) as connection:
            connection.execute(text(statement), values)


def _partner(file: str) -> str:
    return "beta" if file == "beta.yaml" else "acme"


edits = st.builds(
    Edit,
    kind=st.sampled_from(Editor.KINDS),
    file=st.sampled_from(FILES),
    name=st.sampled_from(["a", "b", "c"]),
    other=st.sampled_from(["a", "b", "c"]),
    number=st.integers(0, 2),
    flag=st.booleans(),
)


# Texts

_YAML_PARTS = [
    *("a", "b", "no", "1", "~", "<<", "é", "𝄞", "\u200b", "12E45678000106", "true", "2026-01-01"),
    *(": ", ":", "- ", "-", "? ", ", ", " ", "  ", "\n", "\n  ", "\n    ", "\n- ", "\r\n", "\t"),
    *("[", "]", "{", "}", "'", '"', "|\n ", ">-\n  ", "#", " # ", "\\", "\\n", "\\x07", "\\u202e"),
    *("&a ", "*a", "!t ", "!!str ", "! ", "%", "@", "`", "---", "---\n", "\n---\n", "\n...\n"),
    *("%YAML 1.2\n", "\ufeff", "\x00", "\x07", "\x85", "\u2028", "\u202e", "\uffff", "\ufffe"),
    *(
        "a: 1\n",
        "a: 1\na: 2\n",
        "key: [x, {y: z}]\n",
        '"<<": 1\n',
        "- - - -",
        "? [a]\n: b\n",
        '"\\ud800"',
    ),
]
yaml_texts = st.lists(st.sampled_from(_YAML_PARTS), max_size=12).map("".join) | st.text(max_size=30)
