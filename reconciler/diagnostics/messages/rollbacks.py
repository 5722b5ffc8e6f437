"""What a rollback leaves as it is, and why."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import warning
from reconciler.diagnostics.words import N_

ROLLBACKS = {
    "MBX570": warning(
        N_("{address} was changed by a later revision, and stays as it is"),
        N_("Revision {later} changed it. Revision {number} left: {left}; now: {now}"),
        N_("Roll back revision {later} first, or change the row in the manifests."),
    ),
    "MBX571": warning(
        N_("{address} cannot get back what it was: its name or mailbox is taken"),
        N_('"{other}" has it now.'),
        N_("If this plan deletes or renames that one, apply it, and roll back once more."),
    ),
    "MBX572": warning(
        N_("{address} cannot get back what it was: its company is gone"),
        N_("The database has no company {company} of this partner."),
        N_("Declare the company in the manifests, apply, and roll back once more."),
    ),
    "MBX573": warning(
        N_("{address} stays for now: a linked mail server is not deleted"),
        N_("Linked companies: {companies}"),
        N_("Apply this plan, which removes the links it can, and roll back once more."),
    ),
    "MBX574": warning(
        N_("{address} stays as it is"),
        N_("A partner is never deleted or changed back."),
        N_("There is nothing to do."),
    ),
    "MBX575": warning(
        N_("{address} cannot get back what it was: its mail server is not there"),
        N_('The database has no mail server "{server}" that the link could belong to.'),
        N_("Declare the mail server in the manifests."),
    ),
    "MBX576": warning(
        N_("{address} cannot be rolled back: the ledger's entry cannot be read"),
        N_("It was altered, or another version of the tool has written it."),
        N_("Change the row in the manifests."),
    ),
    "MBX577": warning(
        N_("{address} was changed in the database, and stays as it is"),
        N_("No revision did that. Revision {number} left: {left}; now: {now}"),
        N_("Change the row in the manifests, if it is to be otherwise."),
    ),
}
