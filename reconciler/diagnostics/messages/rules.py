"""Problems between the entries of a partner, and between partners."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error, warning
from reconciler.diagnostics.words import N_

RULES = {
    "MBX301": error(
        N_('the mail server "{name}" is declared twice'),
        N_("An id stands for one server of the partner, over all files."),
        N_("Remove one of the two, or give it another id."),
    ),
    "MBX302": error(
        N_("the company {name} is declared twice"),
        N_("A company is declared once, over all files and in one spelling of its CNPJ."),
        N_("Remove one of the two."),
    ),
    "MBX303": error(
        N_("the options of {name} are declared twice"),
        N_("A host has one profile for each protocol, over all files."),
        N_("Put both together in one place."),
    ),
    "MBX304": error(
        N_('"{name}" and "{first}" are the same mailbox'),
        N_("They have the same protocol, host and username."),
        N_(
            'Declare it once, and link the companies of both: put them all under "companies:" of '
            '"{first}" and remove "{name}".'
        ),
    ),
    "MBX305": error(
        N_('the company {name} is linked to "{server}" twice'),
        N_("A link is written once, from whichever side."),
        N_("Remove one of the two."),
    ),
    "MBX306": error(
        N_("the company {name} belongs to another partner"),
        N_("A CNPJ belongs to one partner in the whole database."),
        N_("Check the CNPJ. If it has to move, its present partner must give it up first."),
    ),
    "MBX307": error(
        N_("{name} is a second head office of its root"),
        N_("Of all companies with the same first 8 characters, one is the head office."),
        N_('Leave "head_office: true" with one of the two.'),
    ),
    "MBX308": warning(
        N_("no manifest of the partner declares the company {name}"),
        N_("It may be registered in the database; this command does not look there."),
        N_("Check the CNPJ; plan looks into the database."),
    ),
    "MBX309": error(
        N_("the company {name} is unknown"),
        N_("No manifest declares it, and the partner has no such company in the database."),
        N_('Correct the CNPJ, or declare it under "companies:".'),
    ),
    "MBX310": warning(
        N_('no manifest of the partner declares the mail server "{name}"'),
        N_("It may be in the database; this command does not look there."),
        N_("Check the id; plan looks into the database."),
    ),
    "MBX311": error(
        N_('the mail server "{name}" is unknown'),
        N_(
            "No manifest of the partner declares it, and the database has no such server or is "
            "about to lose it."
        ),
        N_("Correct the id."),
    ),
    "MBX312": error(
        N_('the head office is not linked to "{name}"'),
        N_(
            "What is imported from the head office must be linked to the head office of the same "
            "root. Its head office: {head_office}."
        ),
        N_(
            'Link the head office, which is the company with "head_office: true", to it first, or '
            'write "partner: {name}".'
        ),
    ),
    "MBX313": error(
        N_('"{name}" cannot be imported'),
        N_('It is another company\'s own, or says "importable: false".'),
        N_("Ask the partner's operator for a server that can be shared."),
    ),
    "MBX314": error(
        N_('the company {name} may not read "{server}"'),
        N_("An incoming mailbox needs a company with the extension document_import."),
        N_(
            "Ask whoever sold the product to the company for the extension, and add "
            '"extensions: [document_import]" to the company.'
        ),
    ),
    "MBX315": error(
        N_("the company {name} may not register mailboxes of its own"),
        N_('"mail_servers" in a company\'s file need "own_mailboxes: true" of the company.'),
        N_(
            "Ask the partner's operator to set it where the company is declared, or import a "
            "server instead."
        ),
    ),
    "MBX316": error(
        N_('"{old}" cannot become "{new}": both are there'),
        N_("A rename keeps the row of the old id, so the old id must be free to go."),
        N_("Remove the line renamed_from, or the server with the old id."),
    ),
    "MBX317": warning(
        N_('the rename to "{new}" is done'),
        N_("The old id is gone from the database."),
        N_("Remove the line renamed_from."),
    ),
    "MBX318": error(
        N_('the mail server "{name}" has a new id'),
        N_('It is called "{suggestion}" now.'),
        N_('Write "{suggestion}".'),
    ),
    "MBX319": warning(
        N_("nobody is told when the mailbox of {name} fails"),
        N_('It sends through "{server}" and has no notification_email.'),
        N_("Add notification_email to the company."),
    ),
    "MBX320": error(
        N_('the manifests of "{partner}" do not belong here'),
        N_("The settings bind this partner to: {folders}."),
        N_("Move the file, or correct its partner."),
    ),
    "MBX324": error(
        N_('two mail servers say that they were "{old}"'),
        N_("Only one of them can have its row."),
        N_("Remove the line from one of the two."),
    ),
    "MBX325": error(
        N_('several rows of the database are the mailbox of "{name}"'),
        N_("Another program has registered it more than once: {rows}."),
        N_("Remove all but one of these rows there."),
    ),
    "MBX326": warning(
        N_("this stands for no company"),
        N_("The partner has no company that it could mean."),
        N_("Check the CNPJ, or remove the item."),
    ),
    "MBX327": error(
        N_('several mail servers could become "{new}"'),
        N_("The database has all of these: {rows}. A rename keeps the row of one."),
        N_("Leave only that one in renamed_from."),
    ),
}
