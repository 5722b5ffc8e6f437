"""`keys`: make the keys that passwords are sealed with, change them, and see which are needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from reconciler.cli import options, terminal
from reconciler.diagnostics.problem import Failure
from reconciler.diagnostics.words import _, n_
from reconciler.operations.context import Context
from reconciler.operations.keys import new_key, rotation, usage
from reconciler.secrets.seal import KeyStatus, RotationProgress


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
    *("-o", "--out"),
    type=options.FILE,
    help=_("Write it to this new file, which only its owner can read."),
)
def generate(settings_file: Path | None, out: Path | None) -> int:
    key, entry = new_key(terminal.context((), None, settings_file))
    if out is None:
        terminal.say(entry)
        return 0
    _create(out, f"{entry}\n")
    terminal.say(_("Key {key} is in {file}.").format(key=key.id, file=out))
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
@options.context()
def rotate(context: Context) -> int:
    active, batches = rotation(context)
    progress = RotationProgress()
    for progress in batches:
        terminal.note(n_("{count} password seen", "{count} passwords seen", sum(progress)))
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
    terminal.say(_("Key {key}: {counts}.").format(key=active.id, counts=", ".join(words)))
    return 0


@command.command(
    "status",
    short_help=_("Show which keys the passwords are sealed with."),
    help=_(
        "Show how many passwords are sealed with which key. A key that nothing is sealed with may "
        "leave the key ring; exit 1 where one is needed that is not in it."
    ),
)
@options.context()
@options.output_format("text", "json")
def status(context: Context, form: str) -> int:
    active, keys = usage(context)
    if form == "json":
        terminal.say_json({"active": active.id, **keys._asdict()})
    else:
        terminal.say(_status_lines(keys, active.id))
    return 1 if keys.missing else 0


def _status_lines(keys: KeyStatus, active: str) -> Iterator[str]:
    for key, count in (*keys.by_key.items(), *keys.missing.items()):
        words = [n_("{count} password", "{count} passwords", count)]
        if key in keys.missing:
            words.append(_("NOT in the key ring"))
        elif key == active:
            words.append(_("seals"))
        elif count == 0:
            words.append(_("may leave the key ring"))
        yield f"{key}  {', '.join(words)}"
    if foreign := keys.foreign:
        yield n_("{count} left to another program", "{count} left to another program", foreign)
