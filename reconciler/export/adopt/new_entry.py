"""A mail server that no manifest declares → its entry, in the manifest where it belongs."""

from __future__ import annotations

from reconciler.database.observe import Observed
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import N_
from reconciler.export import entries
from reconciler.export.adopt.sheets import Sheets
from reconciler.export.adopt.write_back import can_declare
from reconciler.export.names import ids, new_references
from reconciler.manifests.yamltext import mapping
from reconciler.model.cnpj import masked
from reconciler.model.state import MailServer


def add_entry(
    sheets: Sheets, partner: str, row_name: str, observed: Observed, into: str | None, prefix: str
) -> str:
    """Write an entry for the server of this name, and return its id.

    `prefix` is how the partner's variables for passwords begin.

    Raises:
        Failure: the manifest `into` is not for it, or none is named and there is not exactly one.
    """
    state = observed.state
    row = state.servers[row_name]
    others = [item.server for file in sheets.declarations.values() for item in file.servers]
    taken = (*state.servers, *(item.stable_id for item in others))
    names = ids({row_name: row}, {row_name: observed.row_ids[row_name]}, taken)
    links = [link for link in state.links.get(row_name, ()) if can_declare(row, link, state)]
    entry = entries.server(row, (), links)  # its options depend on what else is declared
    known = (item.password_reference or "" for item in [*others, *state.servers.values()])
    variables = {text.removeprefix("env:") for text in known}
    for reference in new_references(prefix, state, names, variables).values():
        entry = entries.with_password(entry, reference)
    name = names[row_name]
    file = _file_for(row, f"{partner}/{row_name}", sheets, into)
    if file not in sheets.declarations:
        lines = ["", *mapping([("mail_servers", {name: entry})])]
        text = "".join(f"{line}\n" for line in lines)
        sheets.create(file, entries.file_head(partner, row.company) + text)
        return name
    section = sheets.at(file, ("mail_servers",))
    if section.exists:
        (section / name).write(entry)
    else:
        section.write({name: entry})
    return name


def _file_for(row: MailServer, address: str, sheets: Sheets, into: str | None) -> str:
    """The manifest `into`, or the only one that the server can be in."""
    files = sheets.declarations
    fitting = [name for name, file in files.items() if file.company == row.company]
    if into is None:
        if len(fitting) != 1:
            names = ", ".join(sorted(fitting)) or "–"
            raise Failure.of("MBX721", name=address, files=names)
        return fitting[0]
    if into in files and into not in fitting:
        owner = masked(row.company) if row.company else N_("the partner")
        raise Failure.of("MBX722", name=address, file=into, owner=owner)
    return into
