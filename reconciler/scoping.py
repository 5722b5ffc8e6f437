"""Whether the secrets that manifests name are their partners' own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.declared import Declared
from reconciler.diagnostics import Place, Problem
from reconciler.secrets.references import BadReferenceError, from_text
from reconciler.secrets.scope import Scopes

Used = tuple[str, str, Place | None]
"""A partner, where a password of it is, as in `env:NAME`, and the place that says so."""


def declared(partners: Mapping[str, Declared]) -> Iterator[Used]:
    """The secrets that manifests name."""
    for partner, item in partners.items():
        for server in item.servers.values():
            if reference := server.server.password_reference:
                file, path = server.place.file, server.place.path
                yield partner, reference, Place(file, (*path, "password"))


def problems(used: Iterable[Used], scopes: Scopes) -> Iterator[Problem]:
    """What stands against these being used; what is no reference is nobody's."""
    for partner, text, place in used:
        try:
            reference = from_text(text)
        except BadReferenceError:
            continue
        if problem := scopes.problem(partner, reference, place):
            yield problem
