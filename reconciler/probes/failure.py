"""The two ways to end a conversation early: a refusal by the server, and one by this side."""

from __future__ import annotations


class ServerRefusal(Exception):  # noqa: N818 - the server's word, not an error of the program
    """A server's refusal: `basic` is the status (`535`, `NO`, `-ERR`), `text` what follows it."""

    def __init__(self, basic: str, text: str) -> None:
        super().__init__(basic, text)
        self.basic = basic
        self.text = text


class ProbeError(Exception):
    """A failure whose code is known where it occurs; `values` fill in its message."""

    def __init__(self, code: str, line: str = "", **values: str | int) -> None:
        super().__init__(code, line)
        self.code = code
        self.line = line
        self.values = tuple(values.items())
