"""Mail servers from the database as people read them, and as data for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from reconciler.database.listing import Listed
from reconciler.database.showing import ShownLink
from reconciler.database.verdicts import Last
from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.words import N_, _, n_
from reconciler.model.as_json import plain
from reconciler.model.cnpj import masked
from reconciler.model.state import OPTIONS, MailServer
from reconciler.render.changes_text import field_text, shown
from reconciler.render.probe_failure import STEPS
from reconciler.render.probe_text import VERDICTS
from reconciler.render.style import Style, one_line
from reconciler.render.table import table

FORMAT_VERSION = "1.0"
_LISTED = (
    *("direction", "protocol", "nickname", "active", "host", "port", "security", "username"),
    *("sender_name", "sender_email", "company", "project", "file"),
)
_HEADERS = (
    *(N_("PARTNER/ID"), N_("DIRECTION"), N_("PROTOCOL")),
    *(N_("NICKNAME"), N_("HOST:PORT"), N_("USERNAME")),
)
_SERVER_HEADERS = (*_HEADERS, N_("ACTIVE"), N_("COMPANIES"), N_("MANAGED"))
_MAILBOX_HEADERS = (*_HEADERS, N_("SENDER"), N_("MANAGED"))
_LINK_HEADERS = (
    *(N_("CNPJ"), N_("COMPANY"), N_("SENDER NAME")),
    *(N_("ACTIVE"), N_("EFFECTIVE"), N_("DECLARED BY")),
)


def server_lines(rows: Sequence[Listed], style: Style) -> Iterator[str]:
    """The mail servers as a table, and how many they are.

    The last tests are there where any of them was tested.
    """
    tested = any(row.last for row in rows)
    cells = (
        (
            *(*_cells(row), _yes(row.server.active), str(row.companies), _managed(row)),
            *((_last(row.last),) if tested else ()),
        )
        for row in rows
    )
    headers = (*_SERVER_HEADERS, N_("LAST TEST")) if tested else _SERVER_HEADERS
    yield from table(headers, cells, style)
    yield _counted(rows)


def mailbox_lines(cnpj: str, rows: Sequence[Listed], style: Style) -> Iterator[str]:
    """What the company with this bare CNPJ sees as a table, and how many they are."""
    cells = ((*_cells(row), _sender(row.server), _managed(row)) for row in rows)
    yield from table(_MAILBOX_HEADERS, cells, style)
    yield _("{cnpj} sees {mail_servers}").format(cnpj=masked(cnpj), mail_servers=_counted(rows))


def whole_lines(row: Listed, links: Sequence[ShownLink], style: Style) -> Iterator[str]:
    """One mail server field by field, and a table of its links."""
    server = row.server
    yield style(one_line(row.address), "bold")
    for name, value in server._asdict().items():
        if name not in ("stable_id", "origins", "project", "file"):
            yield f"  {name}: {field_text(name, value)}{_origin(name, server)}"
    yield "  " + _("declared by: {whom}").format(whom=_declarer(server.project, server.file))
    yield from _last_lines(row.last)
    yield ""
    yield from table(_LINK_HEADERS, (_link_cells(link, server) for link in links), style)
    yield n_("{count} link", "{count} links", len(links))


def list_data(rows: Iterable[Listed]) -> dict[str, Any]:
    """The mail servers as `list --format json` prints them."""
    servers = [
        {**_identity(row), **{name: getattr(row.server, name) for name in _LISTED}} for row in rows
    ]
    return {"format_version": FORMAT_VERSION, "mail_servers": servers}


def show_data(row: Listed, links: Iterable[ShownLink]) -> dict[str, Any]:
    """One mail server and its links as `show --format json` prints them."""
    return {
        "format_version": FORMAT_VERSION,
        "mail_server": {**_identity(row), **plain(row.server)},
        "links": [
            {
                **plain(link),
                "company_nickname": nickname,
                "effective": link.active and row.server.active,
                "managed": link.project is not None,
            }
            for link, nickname in links
        ],
    }


def _identity(row: Listed) -> dict[str, Any]:
    return {
        "address": row.address,
        "partner": row.partner,
        "stable_id": row.server.stable_id,
        "row_id": row.row_id,
        "managed": row.server.project is not None,
        "companies": row.companies,
        "last_test": _last_data(row.last),
    }


def _last_data(last: Last | None) -> dict[str, Any] | None:
    if last is None:
        return None
    verdict, level, code, step, line = last.found
    times = {"tried_at": last.tried_at, "since": last.since}
    return {
        "outcome": verdict,
        "level": level,
        "failure": code and {"code": code, "step": step, "server_said": line},
        **{name: moment and moment.isoformat() for name, moment in times.items()},
    }


def _last(last: Last | None) -> str:
    """The last test in a few words: `FAILED MBX775 since 2026-11-24`."""
    if last is None:
        return shown(None)
    word = _(VERDICTS.get(last.found.verdict, last.found.verdict))
    words = " ".join(filter(None, (word, last.found.code)))
    if last.since is None:
        return one_line(words)
    return one_line(_("{words} since {day}").format(words=words, day=last.since.date()))


def _last_lines(last: Last | None) -> Iterator[str]:
    if last is None:
        return
    found = last.found
    when = f"{last.tried_at:%Y-%m-%d %H:%M:%S} UTC" if last.tried_at else "–"
    yield "  " + _("last test: {last}, level {level}, on {when}").format(
        last=_last(last), level=one_line(found.level), when=when
    )
    if found.line:
        step = _(STEPS.get(found.step or "", found.step or "–"))
        said = _("the server said ({step}): {line}").format(step=step, line=found.line)
        yield f"    {one_line(said)}"
    if found.code in MESSAGES:
        yield "    " + _("what that means: reconciler explain {code}").format(code=found.code)


def _cells(row: Listed) -> tuple[str, ...]:
    server = row.server
    host = server.host if server.port is None else f"{server.host}:{server.port}"
    texts = (row.address, server.direction, server.protocol, server.nickname, host)
    return (*map(one_line, texts), shown(server.username))


def _link_cells(item: ShownLink, server: MailServer) -> tuple[str, ...]:
    link = item.link
    texts = (one_line(masked(link.cnpj)), shown(item.company), shown(link.sender_name))
    flags = (_yes(link.active), _yes(link.active and server.active))
    return (*texts, *flags, _declarer(link.project, link.file))


def _counted(rows: Sequence[Listed]) -> str:
    return n_("{count} mail server", "{count} mail servers", len(rows))


def _managed(row: Listed) -> str:
    return _yes(row.server.project is not None)


def _yes(flag: bool) -> str:
    return _("yes") if flag else _("no")


def _sender(server: MailServer) -> str:
    email = f"<{server.sender_email}>" if server.sender_email else None
    return shown(" ".join(filter(None, (server.sender_name, email))) or None)


def _origin(name: str, server: MailServer) -> str:
    known = server.origins and name in OPTIONS
    return f" ({one_line(getattr(server.origins, name))})" if known else ""


def _declarer(project: str | None, file: str | None) -> str:
    """Who declared a row, in words: without a project it was another program."""
    if project is None:
        return _("another program")
    words = _("{file} (project {project})") if project else "{file}"
    return words.format(file=shown(file), project=one_line(project))
