"""Problems of single keys and values."""

from __future__ import annotations

from reconciler.diagnostics.messages.message import error
from reconciler.diagnostics.words import N_

FIELDS = {
    "MBX201": error(
        N_('the key "{key}" is unknown'),
        N_("Known here: {known}."),
        N_("Correct the key, or remove the line."),
    ),
    "MBX202": error(
        N_('"{key}" is missing'),
        N_("It cannot be left out here."),
        N_('Add a line "{key}: …".'),
    ),
    "MBX203": error(
        N_("another kind of value is expected"),
        N_("Here belongs: {expected}. What stands there: {found}."),
        N_("Check the indentation, the dashes and the brackets; remove a key that has no value."),
    ),
    "MBX204": error(
        N_('"{found}" is no possible value of "{key}"'),
        N_("Possible are: {choices}."),
        N_("Choose one of them."),
    ),
    "MBX205": error(
        N_('"{key}" has no value'),
        N_("It cannot be empty."),
        N_("Write one after the colon."),
    ),
    "MBX206": error(
        N_('"{key}" is too long'),
        N_("It may have at most {limit} characters."),
        N_("Shorten it."),
    ),
    "MBX207": error(
        N_('"{key}" is neither true nor false'),
        N_("yes, no, on, off and words in quotes are texts here."),
        N_("Write true or false, without quotes."),
    ),
    "MBX208": error(
        N_('"{key}" is no number that fits'),
        N_(
            "A whole number is expected, without quotes, signs and zeros in front; "
            "a port is between 1 and 65535, a count at least 1."
        ),
        N_("Write such a number."),
    ),
    "MBX209": error(
        N_("this is no id"),
        N_(
            "An id has up to 63 lower-case letters without accents, digits, dots, dashes and "
            "underscores, and begins with a letter or digit."
        ),
        N_("Choose another; what people read is the nickname."),
    ),
    "MBX210": error(
        N_("this is no CNPJ"),
        N_("A CNPJ has 14 characters: 12 letters or digits, and 2 digits."),
        N_('Write it in quotes, with or without its mask: "12.345.678/0001-95".'),
    ),
    "MBX211": error(
        N_("the check digits of this CNPJ are wrong"),
        N_("It would have to end in {expected}, if all the rest is right."),
        N_("Compare it with the company's registration."),
    ),
    "MBX212": error(
        N_("this is no e-mail address"),
        N_("An address has one @, a domain with a dot behind it, and nothing around it."),
        N_("Write one address alone, as in fiscal@acme.example."),
    ),
    "MBX213": error(
        N_("this is no host name"),
        N_("A host name has letters, digits, dashes and dots; no protocol, port or path."),
        N_("Write the name alone, as in mail.acme.example."),
    ),
    "MBX214": error(
        N_('"{key}" is no duration'),
        N_("A number of seconds or minutes with its unit is expected, up to 10 minutes."),
        N_("Write it as 30s or 2m."),
    ),
    "MBX215": error(
        N_("a secret does not belong in a manifest"),
        N_("Everybody who can read the file could use it, for as long as its history is kept."),
        N_(
            "Change the password now, keep it in a store of secrets, and write here only where: "
            "{{env: NAME}}, {{file: name}}, {{vault: {{path: …, key: …}}}} or {{aws: {{name: …}}}}."
        ),
    ),
    "MBX216": error(
        N_('"{key}" is no name'),
        N_(
            "A variable (env) has letters, digits and underscores; a file is a name without "
            "folders; in vault and aws it is names with slashes between them, and a key has "
            "neither spaces nor slashes."
        ),
        N_("Write the name alone: not the secret itself, and no address."),
    ),
    "MBX217": error(
        N_('"{key}" is no file name'),
        N_(
            "The file lies in the folder for certificates; here stands its name, without folders, "
            "spaces and accents, and without a dot in front."
        ),
        N_("Write the name alone, as in acme-ca.pem."),
    ),
    "MBX218": error(
        N_('"{key}" is no date'),
        N_("A day of the calendar is expected, as year, month and day."),
        N_("Write it as 2026-12-31."),
    ),
    "MBX219": error(
        N_('version "{found}" of the language is unknown'),
        N_("This version of the tool knows version 1."),
        N_('Write "version: 1", or use a newer version of the tool.'),
    ),
    "MBX220": error(
        N_('"protocol: {protocol}" does not go with "direction: {direction}"'),
        N_("With this direction go: {expected}."),
        N_("Change one of the two, or leave out the protocol."),
    ),
    "MBX221": error(
        N_('"{key}" is missing'),
        N_('It is needed with "{because}".'),
        N_('Add a line "{key}: …".'),
    ),
    "MBX222": error(
        N_('"password" does not go with "auth: {auth}"'),
        N_("No password is used to log in that way."),
        N_('Remove the password, or write "auth: password" or "auth: oauth2".'),
    ),
    "MBX223": error(
        N_('"{key}" has no meaning here'),
        N_('A server with "{kind}" does not use it.'),
        N_("Remove the line."),
    ),
    "MBX224": error(
        N_('"{key}" belongs in the other kind of file'),
        N_("It is a key of a {kind}'s file; \"company:\" at the top makes a file a company's own."),
        N_("Remove it, or move it to a {kind}'s file."),
    ),
    "MBX225": error(
        N_('"{key}" goes over several lines'),
        N_("A line end in it would break the mails that it is written into."),
        N_('Write the text on one line, without |, > and "\\n".'),
    ),
    "MBX226": error(
        N_('"{key}" does not go with "{other}"'),
        N_("Each says by itself what is meant, so only one of them can count."),
        N_("Remove one of the two."),
    ),
    "MBX227": error(
        N_('"{key}" has no reason'),
        N_("Who leaves a field to other programs says why, for those who read it later."),
        N_('Write it as {{fields: [active], reason: "…"}}.'),
    ),
}
