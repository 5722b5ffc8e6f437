"""The rules across files: what a partner's declarations must keep together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.desired.link import Known
from reconciler.diagnostics.closest import closest
from reconciler.diagnostics.problem import Place, Problem
from reconciler.manifests.declaration import CompanyDeclaration, ServerDeclaration
from reconciler.manifests.partner import PartnerDeclaration
from reconciler.model.cnpj import masked, root
from reconciler.model.providers import endpoints
from reconciler.model.state import State

_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")
_MIXED_UP = {
    ("smtp", 587, "tls"): "starttls",
    ("smtp", 465, "starttls"): "tls",
    ("imap", 143, "tls"): "starttls",
    ("imap", 993, "starttls"): "tls",
    ("pop3", 110, "tls"): "starttls",
    ("pop3", 995, "starttls"): "tls",
}


def check(declared: PartnerDeclaration, state: State, known: Known) -> Iterator[Problem]:
    """Every rule that `declared`, leading to `state`, breaks."""
    yield from _head_offices(declared)
    yield from _company_files(declared, known)
    for cnpj, company in declared.companies.items():
        if cnpj in known.elsewhere:
            yield Problem("MBX306", company.place, {"name": masked(cnpj)})
    yield from _notifications(declared, state)
    yield from _hosts(declared)
    for stable_id, server in declared.servers.items():
        yield from _options(server, declared, state, stable_id)


def _head_offices(declared: PartnerDeclaration) -> Iterator[Problem]:
    seen: dict[str, CompanyDeclaration] = {}
    for cnpj, company in declared.companies.items():
        if company.head_office and (first := seen.setdefault(root(cnpj), company)) is not company:
            place = company.place.below("head_office", on="value")
            yield Problem("MBX307", place, {"name": masked(cnpj)}, (first.place,))


def _company_files(declared: PartnerDeclaration, known: Known) -> Iterator[Problem]:
    for file in declared.company_files:
        cnpj = file.company or ""
        place = Place(file.file, ("company",), "value")
        company = known.companies.get(cnpj)
        if cnpj in known.elsewhere:
            yield Problem("MBX306", place, {"name": masked(cnpj)})
        elif company is None:
            code = "MBX308" if known.offline else "MBX309"
            if not file.servers:
                yield Problem(code, place, {"name": masked(cnpj), "suggestion": ""})
        elif file.servers and not company.own_mailboxes:
            yield Problem("MBX315", place, {"name": masked(cnpj)})


def _notifications(declared: PartnerDeclaration, state: State) -> Iterator[Problem]:
    unheard = {
        cnpj: company
        for cnpj, company in declared.companies.items()
        if not company.company.notification_email
    }
    if not unheard:
        return
    for name, server in state.servers.items():
        if server.direction == "outgoing" and server.active:
            for link in state.links.get(name, ()):
                if link.active and (company := unheard.pop(link.cnpj, None)):
                    values = {"name": masked(link.cnpj), "server": name}
                    yield Problem("MBX319", company.place, values)


def _hosts(declared: PartnerDeclaration) -> Iterator[Problem]:
    """Hosts that look like a misspelling of one with options."""
    known = {host for host, _protocol in declared.hosts}
    for server in declared.servers.values():
        host = server.server.host
        right = not known or host in known or endpoints(host, server.server.protocol)
        if not right and (close := closest(host, known, 0.9)):
            place = server.place.below("host", on="value")
            yield Problem("MBX405", place, {"suggestion": close})


def _options(
    declared_server: ServerDeclaration, declared: PartnerDeclaration, state: State, stable_id: str
) -> Iterator[Problem]:
    server = state.servers[stable_id]
    port, security = server.port or 0, server.security or ""
    profile = declared.hosts.get((declared_server.server.host, declared_server.server.protocol))

    def place(*names: str) -> Place:
        """Where the first of these options that is written at all stands."""
        for name in names:
            if getattr(declared_server.server, name) is not None:
                return declared_server.place.below(name, on="value")
            if profile and getattr(profile.profile, name) is not None:
                return profile.place.below(name, on="value")
        return declared_server.place

    if security == "none" and not _LOOPBACK.fullmatch(server.host):
        yield Problem("MBX401", place("security"), {"host": server.host})
    if server.verify_certificate is False:
        yield Problem("MBX402", place("verify_certificate"), {"host": server.host})
    if server.protocol == "smtp" and port == 25 and security != "none":
        yield Problem("MBX403", place("port"), {"host": server.host})
    if right := _MIXED_UP.get((server.protocol, port, security)):
        values = {"port": port, "security": security, "right": right}
        yield Problem("MBX404", place("security", "port"), values)
