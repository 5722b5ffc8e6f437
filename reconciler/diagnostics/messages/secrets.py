"""Problems of secrets: references, who may use which, stores, and the keys of the database."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error, warning
from reconciler.diagnostics.words import N_

SECRETS = {
    "MBX660": error(
        N_("this secret is out of bounds for {partner}"),
        N_('Of the store "{store}" the partner may use: {allowed}.'),
        N_(
            "Use one of the partner's own, or ask the platform engineer to allow it, under "
            "secrets.partners.{partner} in the settings."
        ),
    ),
    "MBX661": error(
        N_('which secrets of the store "{store}" are those of {partner} is not settled'),
        N_(
            "{pattern} would also cover secrets of another partner, of the pipeline or of the "
            "tool itself."
        ),
        N_(
            "The platform engineer says which they are, under secrets.partners.{partner} in the "
            "settings: {store} = [ … ]."
        ),
    ),
    "MBX662": error(
        N_('this secret of the store "{store}" is not for mailboxes'),
        N_("The tool itself uses it: it logs in with it, or seals passwords."),
        N_("Keep the password under another name, and write that one."),
    ),
    "MBX665": error(
        N_("this is no reference to a secret"),
        N_("In one line it says where a secret is in this form: {form}."),
        N_("Write it like that. If it was the password itself, change that now."),
    ),
    "MBX670": error(
        N_('the store "{store}" is not set up'),
        N_("The settings do not say where it is and how to log in."),
        N_("Add a section [secrets.{store}] to the settings, or keep the secret elsewhere."),
    ),
    "MBX671": error(
        N_('what it takes to ask the store "{store}" is not installed'),
        N_("It comes as an extra, so that who does not use the store does not need it."),
        N_('Install it: pip install "reconciler[{store}]".'),
    ),
    "MBX672": error(
        N_('the store "{store}" did not answer as it should'),
        N_("What was found: {reason}."),
        N_(
            "Check its address, its certificate and its own log; what the settings say is under "
            "[secrets.{store}]."
        ),
    ),
    "MBX673": error(
        N_('the store "{store}" does not let the tool in'),
        N_("It has refused the login that the settings describe."),
        N_("Check method, role, mount and credential under [secrets.{store}.login]."),
    ),
    "MBX674": error(
        N_('"{name}" in the store "{store}" may not be read'),
        N_("The answer was: {reason}."),
        N_("Check the permissions of the file, or the login and the policy of the store."),
    ),
    "MBX675": error(
        N_('there is no "{name}" in the store "{store}"'),
        N_("Nothing is there under that name, or not any more."),
        N_("Put the secret there, or correct the reference; the store may need its mount checked."),
    ),
    "MBX676": error(
        N_('"{reference}" does not lead to a text'),
        N_("What is kept there: {kind}. A key is needed for texts by key, and only for those."),
        N_("Correct the key of the reference, or what is kept there."),
    ),
    "MBX677": error(
        N_('what "{reference}" leads to cannot be a secret'),
        N_(
            "It is empty, has more than {limit} bytes, is not UTF-8, or has a line end or NUL "
            "in it and is no JSON. A file may end in one line end, which does not count."
        ),
        N_("Store it again; echo -n and printf write no line end."),
    ),
    "MBX678": error(
        N_('the store "{store}" has not answered in time'),
        N_("All secrets together have to be there before secrets.deadline ends."),
        N_("Check the store, or raise secrets.deadline in the settings."),
    ),
    "MBX679": error(
        N_('"{name}" in {folder} is no regular file'),
        N_(
            "Links are not followed, except for those of a mounted Kubernetes secret, and pipes "
            "and devices are not read."
        ),
        N_("Put the file itself there."),
    ),
    "MBX680": error(
        N_("{source} is not there"),
        N_("The settings name it under [secrets]; it is not set, not readable, or empty."),
        N_("Set it, or correct the settings."),
    ),
    "MBX681": error(
        N_('the store "{store}" keeps no versions'),
        N_("The settings say kv_version = 1, and the reference names a version."),
        N_("Remove the version from the reference."),
    ),
    "MBX688": error(
        N_("there is no key ring"),
        N_("Neither the settings nor {variable} say where it is."),
        N_("Make a key with reconciler keys generate, and keep it where {variable} is set from."),
    ),
    "MBX689": error(
        N_("the key cannot be written to {file}"),
        N_("The system says: {reason}. A file that is there is never overwritten."),
        N_("Choose another file, or print the key without --out."),
    ),
    "MBX690": error(
        N_("the key ring is damaged"),
        N_("Its key number {number} is missing, or is not what its id says."),
        N_("Copy it again from where it is kept; reconciler keys generate makes a new one."),
    ),
    "MBX691": error(
        N_("a key of the key ring is wrapped"),
        N_("Key number {number} has to be unwrapped by Vault, and the settings do not say how."),
        N_("Add [secrets.keys.transit] and [secrets.vault] to the settings."),
    ),
    "MBX692": error(
        N_("what stands in place of a password was not made by this tool"),
        N_("It has another form than sealed text; another program may have written it."),
        N_("Leave it to that program, or declare the password in a manifest."),
    ),
    "MBX693": error(
        N_("the key {key} is not in the key ring"),
        N_("A password was sealed with it, and only it can open that again."),
        N_("Add it to the key ring, behind the first; reconciler keys status shows who needs it."),
    ),
    "MBX694": error(
        N_("a password in the database was altered"),
        N_(
            "The {field} of row {row} in {table} was sealed for another row or database, or was "
            "changed since."
        ),
        N_("Find out who did; then apply the manifest again, or enter the password again."),
    ),
    "MBX695": error(
        N_("passwords are to be sealed, and there is no key"),
        N_('The settings say secret_mode = "encrypted", and neither they nor {variable} have one.'),
        N_(
            "Make one with reconciler keys generate, and keep it where [secrets.keys] says or in "
            "{variable}."
        ),
    ),
    "MBX696": warning(
        N_("passwords are not kept in the database, only where they are"),
        N_("There is no key to seal them with: neither the settings nor {variable} have one."),
        N_(
            "Make one with reconciler keys generate; or, where the application reads the stores "
            'itself, say so with secret_mode = "reference".'
        ),
    ),
    "MBX697": warning(
        N_("{count} passwords are variables of this process"),
        N_(
            'With secret_mode = "reference" the application reads the secrets itself, and a '
            "variable of a pipeline means nothing to it."
        ),
        N_("Keep them in a store that the application can read too, or seal them with a key."),
    ),
    "MBX698": error(
        N_("the password of {address} is nowhere that can be asked"),
        N_("What stands in place of a reference was not written by this tool."),
        N_("Declare where the password is, in the manifest of the mail server."),
    ),
    "MBX699": error(
        N_("there is no mail server number {number}"),
        N_("A password is sealed into the row of its mail server, which has to be there."),
        N_("Insert the row first, without a password."),
    ),
}
