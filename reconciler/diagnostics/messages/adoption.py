"""Problems of `export` and `adopt`: what no manifest can say, and what stands in the way."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error, warning
from reconciler.diagnostics.words import N_

ADOPTION = {
    "MBX700": error(
        N_('rows that no manifest can say, for their "{field}": {count}'),
        N_("{reason} Rows: {rows}"),
        N_(
            "Correct them in the database, or leave them out with --skip-invalid: they stay as "
            "they are."
        ),
    ),
    "MBX701": warning(
        N_('rows that were left out, for their "{field}": {count}'),
        N_("{reason} Rows: {rows}"),
        N_("Correct them in the database, then: reconciler adopt"),
    ),
    "MBX702": error(
        N_("it would not stay as it is"),
        N_("What is there can be written in no manifest, and would become something else."),
        N_("Give it the other value in the database, if that is what it means."),
    ),
    "MBX703": error(
        N_("this says of no password where it is"),
        N_(
            "That would be env:, file:, vault: or aws: and a name; anything else may be the "
            "password itself."
        ),
        N_("Write where the password is, or nothing: then a place is made up."),
    ),
    "MBX704": error(
        N_("another company's own mailbox"),
        N_("A mailbox that is a company's own is linked to that company alone."),
        N_("Remove the link, or make the mailbox one of the partner: its company empty."),
    ),
    "MBX705": error(
        N_("this is not all text"),
        N_("There are bytes in it that are not UTF-8."),
        N_("Write the text anew."),
    ),
    "MBX706": error(
        N_("the row would be made anew"),
        N_("It has no id, and belongs to this project already."),
        N_("Give it an id in the database, or make it nobody's: its project empty."),
    ),
    "MBX707": error(
        N_("the row would be deleted"),
        N_("It belongs to this project, and a plan takes it for one that is no longer declared."),
        N_("Give it an id in the database, or make it nobody's: its project empty."),
    ),
    "MBX708": error(
        N_("rows that cannot be left out"),
        N_("They belong to this project, so that the next plan would change them: {rows}"),
        N_("Correct them in the database, or make them nobody's: their project empty."),
    ),
    "MBX709": error(
        N_("the manifests of {partner} would not be accepted"),
        N_("{reason}"),
        N_("Correct what it names, or the settings where they set limits and folders."),
    ),
    "MBX710": error(
        N_("{file} is there already"),
        N_("Nothing is overwritten unasked; nothing was written."),
        N_("Give another folder, or --force to replace it."),
    ),
    "MBX711": error(
        N_("there is more than one manifest to write: {count}"),
        N_("A file holds one manifest, so they cannot all be printed."),
        N_("Give a folder with --out, or one partner with --partner."),
    ),
    "MBX712": error(
        N_("two mail servers are called {name}"),
        N_("The id of one looks like the number of the other's row, which has no id."),
        N_("Give the first another id in the database, or the second one."),
    ),
    "MBX720": error(
        N_('no manifest can say the "{field}" of {name}'),
        N_("{reason}"),
        N_("Correct it in the database, and adopt it then."),
    ),
    "MBX721": error(
        N_("nobody says which manifest {name} belongs in"),
        N_("These could have it: {files}."),
        N_("Name it with --into; it is made where it is missing."),
    ),
    "MBX722": error(
        N_("{file} is not the place for {name}"),
        N_("The mail server is one of {owner}, and the manifest is not."),
        N_("Name another with --into."),
    ),
    "MBX723": error(
        N_('the "{field}" of {address} cannot be written back'),
        N_("It is {before} in the database; a manifest can only make it {after}."),
        N_("Give it a value in the database that a manifest can say, or let the next plan do it."),
    ),
    "MBX724": error(
        N_("{name} cannot be written without changing others"),
        N_("What it needs would change what the manifests say of other rows."),
        N_("Write it by hand."),
    ),
    "MBX725": error(
        N_("{name} is declared elsewhere"),
        N_("This project declares it in {file}, which was not given."),
        N_("Give that manifest too."),
    ),
    "MBX726": error(
        N_("{file} was changed meanwhile"),
        N_("It is no longer what was read."),
        N_("Run it again. Nothing was written."),
    ),
    "MBX727": error(
        N_("nothing was written"),
        N_('The answer was not "{answer}".'),
        N_("Run it again to write."),
    ),
    "MBX728": error(
        N_("{file} is a manifest of {found}"),
        N_("The mail server is one of {partner}."),
        N_("Name another with --into."),
    ),
    "MBX729": error(
        N_("{address} cannot be taken out of the manifest"),
        N_("The database does not have it, and an item that stands for many links does."),
        N_(
            'Name the companies one by one in place of "all" or "branches_of", or let the next '
            "plan bring the link back."
        ),
    ),
}
