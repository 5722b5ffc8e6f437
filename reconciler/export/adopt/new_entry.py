"""A mail server that no manifest declares gets an entry, in the manifest where it belongs."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import N_
from reconciler.export import entries
from reconciler.export.adopt.edits import Edit, Put
from reconciler.export.adopt.texts import Manifests, Texts
from reconciler.export.adopt.write_back import can_declare
from reconciler.export.names import Variables, ids
from reconciler.manifests.yamltext import InQuotes, Plain, Value, mapping
from reconciler.model.cnpj import masked
from reconciler.model.state import MailServer, State

_SECTION = "mail_servers"


def declare(texts: Texts, partner: str, row_name: str, found: Observed, into: str | None) -> str:
    """Write an entry for the server of this name; its id is returned.

    Raises:
        Failure: the manifest named by `into` is not for it, or none is named and there is not one.
    """
    state = found.state
    row = state.servers[row_name]
    declared = (item.server for file in texts.declarations.values() for item in file.servers)
    others = list(declared)
    taken = (*state.servers, *(item.stable_id for item in others))
    name = ids({row_name: row}, {row_name: found.row_ids[row_name]}, taken)[row_name]
    entry = _entry(row, row_name, state)
    if row.needs_password and row.password_reference is None:
        variables = Variables()
        there = (item.password_reference for item in [*others, *state.servers.values()])
        variables.take(text for text in there if text)
        prefix = texts.manifests.scopes.prefix("env", partner)
        entry = entries.with_password(entry, f"env:{variables.name(prefix, name)}")
    file = _file_for(row, f"{partner}/{row_name}", texts.manifests, into)
    if file in texts.declarations:
        texts.edit(file, [_put(texts, file, name, entry)])
    else:
        texts.create(file, _new_file(partner, row.company, name, entry))
    return name


def _entry(row: MailServer, row_name: str, state: State) -> dict[str, Value]:
    """The entry without its advanced options, which depend on what else is declared."""
    entry = entries.server(row, ())
    links = [link for link in state.links.get(row_name, ()) if can_declare(row, link, state)]
    if row.company and not links:
        entry["linked"] = Plain("false")
    elif links and not row.company:
        entry["companies"] = [entries.link(link) for link in links]
    return entry


def _file_for(row: MailServer, address: str, manifests: Manifests, into: str | None) -> str:
    """The manifest that was named, or the only one that can have it."""
    fitting = [name for name, file in manifests.files.items() if file.company == row.company]
    if into is None:
        if len(fitting) != 1:
            files = ", ".join(sorted(fitting)) or "–"
            raise Failure.of("MBX721", name=address, files=files)
        return fitting[0]
    if into in manifests.files and into not in fitting:
        owner = masked(row.company) if row.company else N_("the partner")
        raise Failure.of("MBX722", name=address, file=into, owner=owner)
    return into


def _put(texts: Texts, file: str, name: str, entry: Mapping[str, Value]) -> Edit:
    if texts.sheet(file).has((_SECTION,)):
        return Put((_SECTION, name), entry)
    return Put((_SECTION,), {name: entry})


def _new_file(partner: str, company: str | None, name: str, entry: Mapping[str, Value]) -> str:
    keys: dict[str, Value] = {"version": Plain("1"), "partner": partner}
    if company:
        keys["company"] = InQuotes(masked(company))
    lines = [*mapping(keys.items()), "", *mapping({_SECTION: {name: entry}}.items())]
    return "".join(f"{line}\n" for line in lines)
