"""How a conversation ends early: by a server's refusal, or by what this side will not take."""

from __future__ import annotations

from reconciler.probes.results import Facts


class ServerRefusal(Exception):  # noqa: N818 - the server's word, not an error of the program
    """What a server said instead of what was hoped for.

    `basic` is its status (`535`, `NO`, `-ERR`); `text` is everything behind that.
    """

    def __init__(self, basic: str, text: str) -> None:
        super().__init__(basic, text)
        self.basic = basic
        self.text = text


class Trouble(Exception):  # noqa: N818 - a diagnosis in the making
    """A failure whose code is known where it is found."""

    def __init__(self, code: str, line: str = "", values: Facts = ()) -> None:
        super().__init__(code, line)
        self.code = code
        self.line = line
        self.values = values
