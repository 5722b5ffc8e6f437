"""Problems of settings and of what was asked for."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_

COMMANDS = {
    "MBX601": error(
        N_("{file} is not TOML"),
        N_("{reason}"),
        N_("Correct the line."),
    ),
    "MBX602": error(
        N_('the setting "{key}" does not fit'),
        N_("{file}: {reason}"),
        N_("Correct or remove it."),
    ),
    "MBX603": error(
        N_("the settings {file} cannot be read"),
        N_("The system says: {reason}."),
        N_("Check --settings and RECONCILER_SETTINGS."),
    ),
    "MBX604": error(
        N_("nobody can be asked"),
        N_("The input is no terminal."),
        N_("Add --auto-approve once the plan has been reviewed."),
    ),
    "MBX605": error(
        N_("nothing was applied"),
        N_('The answer was not "{answer}".'),
        N_("Run it again to apply."),
    ),
    "MBX606": error(
        N_('the partner "{name}" is unknown'),
        N_("Neither the manifests nor the database have it."),
        N_("Correct the name."),
    ),
    "MBX607": error(
        N_('the mail server "{name}" is unknown'),
        N_("Neither the manifests nor the database have it."),
        N_("Write it as partner/id; reconciler list shows them."),
    ),
    "MBX608": error(
        N_('several partners have a mail server "{name}"'),
        N_("They are: {partners}."),
        N_("Write it as partner/id."),
    ),
    "MBX609": error(
        N_('--accept "{text}" is not understood'),
        N_(
            "Its form is partner:guard=count, or guard=count where it stops a single partner. "
            "Guards: {guards}."
        ),
        N_("Correct it."),
    ),
    "MBX610": error(
        N_('--accept "{text}" could be for several partners'),
        N_("These are affected: {partners}."),
        N_("Write it as partner:guard=count."),
    ),
    "MBX612": error(
        N_('the mail server "{name}" has a new id'),
        N_('It is called "{suggestion}" now.'),
        N_('Write "{suggestion}".'),
    ),
    "MBX611": error(
        N_("a saved plan stands alone"),
        N_("What it does was settled when it was made."),
        N_("Leave out the manifests, --partner, --server and --accept."),
    ),
    "MBX613": error(
        N_('"{text}" is no CNPJ'),
        N_("A CNPJ has 14 characters: 12 letters or digits, and 2 digits."),
        N_("Write it with or without its mask: 12.345.678/0001-95 or 12345678000195."),
    ),
    "MBX614": error(
        N_('the check digits of "{text}" are wrong'),
        N_("It would have to end in {expected}, if all the rest is right."),
        N_("Compare it with the company's registration."),
    ),
    "MBX615": error(
        N_('the mail server "{name}" is not in the database'),
        N_("What a manifest declares is there once it has been applied."),
        N_("Write it as partner/id; reconciler list shows them."),
    ),
    "MBX616": error(
        N_('there is no code "{code}"'),
        N_("A code is MBX and three digits; not every number has been given out."),
        N_("Write it as it was printed, as in MBX775; docs/codes.md lists them all."),
    ),
    "MBX620": error(
        N_('the ledger has no revision "{name}"'),
        N_("The newest is {newest}."),
        N_("Give a number that reconciler history lists, or the id of a plan that was applied."),
    ),
    "MBX650": error(
        N_("the plan key of {source} is too short"),
        N_("It must have at least {least} bytes, white space around it not counted."),
        N_("Make one: openssl rand -hex 32"),
    ),
    "MBX651": error(
        N_('the setting "{key}" does not fit'),
        N_("Plans can be applied for a minute at least, and 30 days at most."),
        N_("Write it as 30m, 24h or 7d."),
    ),
    "MBX652": error(
        N_("the plan key {file} cannot be read"),
        N_("{reason}"),
        N_("Check RECONCILER_PLAN_KEY_FILE, and plan_key_file in the settings."),
    ),
    "MBX653": error(
        N_('"{text}" is no digest'),
        N_("A digest is sha256: and 64 hexadecimal digits."),
        N_("Give the digest that plan -o has printed."),
    ),
    "MBX654": error(
        N_("--expect-digest is about a saved plan"),
        N_("The plan of manifests is made anew, so that nobody can know its digest."),
        N_("Give the file that plan -o has saved, or leave it out."),
    ),
    "MBX900": error(
        N_("the tool itself failed"),
        N_("This is a mistake in the program: {where}. Nothing was left half done."),
        N_("Report it, with the output of the same command under RECONCILER_TRACEBACK=1."),
    ),
}
