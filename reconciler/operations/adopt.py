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
from reconciler.export.adopt.sheets import PartnerManifests
from reconciler.export.read_back import Terms
from reconciler.manifests import atomic, files
from reconciler.operations import inputs as inputs_
from reconciler.operations.context import Context, has_errors
from reconciler.operations.inputs import Inputs, folders
from reconciler.secrets.scope import Scopes
from reconciler.secrets.settings import rules


class Adopted(NamedTuple):
    """The edits that make the manifests say what the database has of a partner's mail server."""

    partner: str
    adoption: Adoption
    inputs: Inputs

    def write(self) -> None:
        """Make the edits, in all files or in none."""
        atomic.rewrite(self.inputs.loaded.base.root, self.adoption.files)


def adopt(context: Context, address: str, into: Path | None = None) -> Adopted:
    """The edits for the mail server called `address`; nothing is written yet.

    If no manifest declares it, it gets an entry in the file `into`.

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
    target = _name(into, inputs, partner) if into else None
    settings = context.settings
    scopes = Scopes(rules(settings.secrets), known)
    terms = Terms(settings.project, inputs.loaded.limits, folders(settings), scopes, elsewhere)
    manifests = _manifests(inputs, partner, terms)
    try:
        adoption = edit(partner, row.server.stable_id, observed, manifests, target)
    except Failure as failure:
        failure.sources = inputs.sources
        raise
    return Adopted(partner, adoption, inputs)


def _elsewhere(
    connection: Connection, inputs: Inputs, partner: str, observed: Observed
) -> frozenset[str]:
    """The CNPJs that manifests name or servers are linked to, and that other partners have."""
    named = {link.cnpj for links in observed.state.links.values() for link in links}
    if partner in inputs.declared:
        named |= inputs.declared[partner].named_cnpjs()
    unknown = sorted(named - observed.state.companies.keys())
    return frozenset(observe.owners_of(connection, unknown))


def _manifests(inputs: Inputs, partner: str, terms: Terms) -> PartnerManifests:
    by_name = {manifest.name: manifest for manifest in inputs.loaded.manifests}

    def read(name: str) -> bytes:
        data = files.content(by_name[name], terms.limits.file_bytes)
        if isinstance(data, Problem):
            raise Failure([data], inputs.sources)
        return data

    declarations = {item.file: item for item in inputs.loaded.files if item.partner == partner}
    return PartnerManifests(declarations, read, inputs.coverage, terms)


def _name(into: Path, inputs: Inputs, partner: str) -> str:
    """The name of a manifest relative to the root; fails if it is outside or another partner's."""
    root = inputs.loaded.base.root
    path = Path(os.path.abspath(into))  # noqa: PTH100 - links stay links
    if not path.is_relative_to(root):
        raise Failure.of("MBX119", path=str(into), root=str(root))
    name = path.relative_to(root).as_posix()
    for item in inputs.loaded.files:
        if item.file == name and item.partner != partner:
            raise Failure.of("MBX728", file=name, found=item.partner, partner=partner)
    return name
