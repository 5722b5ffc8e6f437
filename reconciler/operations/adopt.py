"""`adopt`: what the database has of a mail server → the edits of its manifest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from reconciler.database import listing, observe
from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Failure, Problem
from reconciler.export.adopt.adopt import Adoption
from reconciler.export.adopt.adopt import adopt as edit
from reconciler.export.adopt.texts import Manifests
from reconciler.manifests import atomic, files
from reconciler.operations import inputs as inputs_
from reconciler.operations.context import Context, has_errors
from reconciler.operations.inputs import Inputs
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules


class Adopted(NamedTuple):
    """The edits that make the manifests say what the database has of a partner's mail server."""

    partner: str
    adoption: Adoption
    inputs: Inputs

    def write(self) -> None:
        """Make the edits, in all files or in none."""
        root = self.inputs.loaded.scope.root
        edits = (atomic.Rewrite(root / file, old, new) for file, old, new in self.adoption.files)
        atomic.rewrite(list(edits))


def adopt(context: Context, address: str, into: Path | None = None) -> Adopted:
    """The edits for the mail server called `address`; nothing is written yet.

    One that no manifest declares gets its entry in the file `into`.

    Raises:
        Failure: the manifests are wrong, there is no such mail server, or it cannot be adopted.
    """
    inputs = inputs_.read(context)
    if has_errors(inputs.problems):
        raise Failure(inputs.problems, inputs.sources)
    with context.existing() as connection:
        row = listing.find(connection, address)
        ((partner, observed),) = observe.read(connection, [row.partner])
        elsewhere = _elsewhere(connection, inputs, partner, observed)
        known = {*inputs.declared, *observe.partners(connection)}
    target = _name(into, inputs) if into else None
    scopes = Scopes(rules(context.settings.secrets), known)
    manifests = _manifests(inputs, partner, elsewhere, scopes)
    _require_own(target, inputs, partner)
    try:
        adoption = edit(partner, row.server.stable_id, observed, manifests, target)
    except Failure as failure:
        failure.sources = inputs.sources
        raise
    return Adopted(partner, adoption, inputs)


def _elsewhere(
    connection: Connection, inputs: Inputs, partner: str, observed: Observed
) -> frozenset[str]:
    """The CNPJs that the manifests name, or that servers are linked to, and others have."""
    named = {link.cnpj for links in observed.state.links.values() for link in links}
    if partner in inputs.declared:
        named |= inputs.declared[partner].named_cnpjs()
    unknown = sorted(named - observed.state.companies.keys())
    return frozenset(observe.owners_of(connection, unknown))


def _manifests(
    inputs: Inputs, partner: str, elsewhere: frozenset[str], scopes: Scopes
) -> Manifests:
    by_name = {item.name: item for item in inputs.loaded.manifests}
    limits = inputs.loaded.limits

    def read(name: str) -> bytes:
        data = files.content(by_name[name], limits.file_bytes)
        if isinstance(data, Problem):
            raise Failure([data], inputs.sources)
        return data

    return Manifests(
        {item.file: item for item in inputs.loaded.files if item.partner == partner},
        read,
        limits,
        inputs.coverage,
        {name: tuple(folders) for name, folders in inputs.settings.paths.items()},
        elsewhere,
        scopes,
    )


def _name(into: Path, inputs: Inputs) -> str:
    """The name of a manifest relative to the root."""
    root = inputs.loaded.scope.root
    path = Path(os.path.abspath(into))  # noqa: PTH100 - links stay links
    if not path.is_relative_to(root):
        raise Failure.of("MBX119", path=str(into), root=str(root))
    return path.relative_to(root).as_posix()


def _require_own(name: str | None, inputs: Inputs, partner: str) -> None:
    """The manifest that was named is the partner's, if it is there."""
    for item in inputs.loaded.files:
        if item.file == name and item.partner != partner:
            raise Failure.of("MBX728", file=name, found=item.partner, partner=partner)
