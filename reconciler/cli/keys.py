"""`keys`: make the keys that passwords are sealed with, change them, and see which are needed."""

from __future__ import annotations

import os
from pathlib import Path

import click
from sqlalchemy import Engine

from reconciler.cli import inputs, options, output, passwords, redacting
from reconciler.database import schema
from reconciler.database.engine import transaction
from reconciler.database.rotating import SealedPasswords, texts
from reconciler.database.schema import Condition
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _, n_
from reconciler.secrets import keyring_source
from reconciler.secrets import rotate as rotation
from reconciler.secrets.keyring import Keyring
from reconciler.secrets.keyring import generate as new_key
from reconciler.secrets.stores.open import Stores
from reconciler.settings import Settings


@click.group(
    "keys",
    help=_("Make the keys that passwords are sealed with, change them, and see which are needed."),
)
def command() -> None:
    return


@command.command(
    "generate",
    short_help=_("Make a new key, and print it."),
    help=_(
        "Make a new key and print it, as one line of a key ring. Where the settings name a key "
        "of Vault's transit engine, it is wrapped with that.\n\n"
        "To change keys, put the new one last in the key ring of everybody who reads, then "
        "first, and run `keys rotate`."
    ),
)
@options.settings
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Write it to this new file, which only its owner can read."),
)
def generate(settings_file: Path | None, out: Path | None) -> int:
    secrets = inputs.read_settings(settings_file).secrets
    with Stores(secrets, os.environ, redacting.begin()) as stores:
        key = new_key()
        entry = key.entry(keyring_source.wrapping(secrets, stores, secrets.deadline))
    if out is None:
        output.say(entry)
        return 0
    _create(out, f"{entry}\n")
    output.say(_("Key {key} is in {file}.").format(key=key.id, file=out))
    return 0


def _create(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
    except OSError as error:
        raise Failure.of("MBX689", file=str(file), reason=error.strerror or "") from None


@command.command(
    "rotate",
    short_help=_("Seal all passwords again with the first key."),
    help=_(
        "Seal with the first key of the key ring what others of its keys have sealed, some rows "
        "at a time. It can be stopped and started again, and every password can be read meanwhile "
        "by who has both keys."
    ),
)
@options.settings
@options.database
def rotate(settings_file: Path | None, database_url: str | None) -> int:
    settings = inputs.read_settings(settings_file)
    ring = _ring(settings)
    engine, identity = _database(settings, database_url, writes=True)
    progress = rotation.Progress()
    for progress in rotation.rotate(SealedPasswords(engine, identity), ring):
        output.note(n_("{count} password seen", "{count} passwords seen", sum(progress)))
    words = [
        n_("{count} password sealed anew", "{count} passwords sealed anew", progress.renewed),
        n_("{count} already was", "{count} already were", progress.current),
    ]
    if progress.moved:
        words.append(n_("{count} changed meanwhile", "{count} changed meanwhile", progress.moved))
    if progress.unreadable:
        words.append(
            n_("{count} cannot be opened", "{count} cannot be opened", progress.unreadable)
        )
    output.say(_("Key {key}: {counts}.").format(key=ring.active.id, counts=", ".join(words)))
    return 0


@command.command(
    "status",
    short_help=_("Show which keys the passwords are sealed with."),
    help=_(
        "Show how many passwords are sealed with which key. A key that nothing is sealed with may "
        "leave the key ring; exit 1 where one is needed that is not in it."
    ),
)
@options.settings
@options.database
@options.output_format("text", "json")
def status(settings_file: Path | None, database_url: str | None, form: str) -> int:
    settings = inputs.read_settings(settings_file)
    ring = _ring(settings)
    engine, _identity = _database(settings, database_url, writes=False)
    with transaction(engine) as connection:
        found = rotation.status(texts(connection), ring)
    if form == "json":
        output.say_json({"active": ring.active.id, **found._asdict()})
    else:
        output.say(_status_lines(found, ring))
    return 1 if found.missing else 0


def _status_lines(found: rotation.Status, ring: Keyring) -> list[str]:
    lines = []
    for key, count in found.by_key.items():
        text = n_("{count} password", "{count} passwords", count)
        if key == ring.active.id:
            text += ", " + _("seals")
        elif count == 0:
            text += ", " + _("may leave the key ring")
        lines.append(f"{key}  {text}")
    for key, count in found.missing.items():
        text = n_("{count} password", "{count} passwords", count)
        lines.append(f"{key}  {text}, " + _("NOT in the key ring"))
    if found.foreign:
        lines.append(
            n_(
                "{count} left to another program",
                "{count} left to another program",
                found.foreign,
            )
        )
    return lines


def _ring(settings: Settings) -> Keyring:
    """The key ring.

    Raises:
        Failure: there is none, or it cannot be read.
    """
    secrets = settings.secrets
    with Stores(secrets, os.environ, redacting.begin()) as stores:
        ring = keyring_source.load(secrets, os.environ, stores, secrets.deadline)
    if ring is None:
        raise Failure.of("MBX688", variable=passwords.KEYS)
    return ring


def _database(settings: Settings, database_url: str | None, *, writes: bool) -> tuple[Engine, str]:
    """The engine of the database, which must have the tables, and its id."""
    engine = inputs.engine(inputs.database_url(database_url, settings), settings, writes=writes)
    found = schema.status(engine)
    if found.condition is Condition.NEW:
        raise Failure.of("MBX541")
    schema.require(found)
    return engine, found.database_id or ""
