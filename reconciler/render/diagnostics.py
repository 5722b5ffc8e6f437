"""Problems → what people and programs read: words, line and column, and the line itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from reconciler.diagnostics.messages import MESSAGES
from reconciler.diagnostics.problem import Mark, Problem, Severity
from reconciler.diagnostics.words import Word, _
from reconciler.manifests.load import Sources
from reconciler.render.snippet import Snippet, snippet
from reconciler.render.style import PLAIN, Style, clean, one_line


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A problem in words. `byte` is the offset of the mark in its file."""

    code: str
    severity: Severity
    title: str
    cause: str
    repair: str
    file: str | None = None
    mark: Mark | None = None
    byte: int = 0
    snippet: Snippet | None = None
    others: tuple[tuple[str, Mark], ...] = ()


def describe(problems: Iterable[Problem], sources: Sources) -> list[Diagnostic]:
    """Every problem once, in words; by file and line, those of no file last."""
    described = {}
    for problem in problems:
        values = tuple(sorted((name, str(value)) for name, value in problem.values.items()))
        described[problem.code, problem.place, values] = _describe(problem, sources)
    return sorted(
        described.values(),
        key=lambda item: (item.file is None, item.file or "", item.mark or (), item.code),
    )


def _describe(problem: Problem, sources: Sources) -> Diagnostic:
    message = MESSAGES[problem.code]
    values = {
        name: _(value) if isinstance(value, Word) else one_line(value)
        for name, value in problem.values.items()
    }
    repair = _(message.repair).format_map(values)
    if values.get("suggestion") and "{suggestion}" not in message.repair:
        repair = _('Did you mean "{suggestion}"?').format_map(values) + " " + repair
    diagnostic = Diagnostic(
        problem.code,
        message.severity,
        _(message.title).format_map(values),
        _(message.cause).format_map(values),
        repair,
    )
    return _placed(diagnostic, problem, sources) if problem.place else diagnostic


def _placed(diagnostic: Diagnostic, problem: Problem, sources: Sources) -> Diagnostic:
    place = problem.place
    assert place is not None
    positions = sources.positions(place.file)
    mark = positions.mark(place)
    byte = 0
    if 0 < mark.line <= len(positions.lines):
        before = positions.lines[mark.line - 1][: mark.column - 1]
        byte = positions.offsets[mark.line - 1] + len(before.encode())
    return replace(
        diagnostic,
        file=sources.shown(place.file),
        mark=mark,
        byte=byte,
        snippet=snippet(positions, mark, problem.code, place.path),
        others=tuple((sources.shown(other.file), sources.mark(other)) for other in problem.others),
    )


def text(diagnostic: Diagnostic, style: Style = PLAIN) -> str:
    """A diagnostic as people read it, over several lines."""
    is_error = diagnostic.severity is Severity.ERROR
    word, colour = (_("error"), "red") if is_error else (_("warning"), "yellow")
    head = style(f"{word} {diagnostic.code}", colour)
    lines = [f"{head}: {style(diagnostic.title, 'bold')}"]
    if diagnostic.file and (mark := diagnostic.mark):
        lines.append(f"  {_position(diagnostic.file, mark)}")
        if shown := diagnostic.snippet:
            caret = " " * shown.start + style("^" * (shown.end - shown.start), "red")
            lines.append(f"   {mark.line} | {one_line(shown.text)}")
            lines.append(f"   {' ' * len(str(mark.line))} | {caret}")
    lines += [f"  {line}" for line in clean(diagnostic.cause).splitlines()]
    lines += [f"  {_('also')}: {_position(file, mark)}" for file, mark in diagnostic.others]
    lines.append(f"  {style(_('fix'), 'cyan')}: {clean(diagnostic.repair)}")
    return "\n".join(lines)


def _position(file: str, mark: Mark) -> str:
    return f"{one_line(file)}:{mark.line}:{mark.column}"


def data(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic in the shape that `terraform validate -json` has, with code and repair."""
    result: dict[str, Any] = {
        "severity": diagnostic.severity.value,
        "code": diagnostic.code,
        "summary": diagnostic.title,
        "detail": diagnostic.cause,
        "repair": diagnostic.repair,
    }
    if diagnostic.file and diagnostic.mark:
        mark, length = diagnostic.mark, diagnostic.mark.end - diagnostic.mark.column
        result["range"] = {
            "filename": diagnostic.file,
            "start": {"line": mark.line, "column": mark.column, "byte": diagnostic.byte},
            "end": {"line": mark.line, "column": mark.end, "byte": diagnostic.byte + length},
        }
    if diagnostic.snippet and diagnostic.mark:
        result["snippet"] = {
            "context": None,
            "code": diagnostic.snippet.text,
            "start_line": diagnostic.mark.line,
            "highlight_start_offset": diagnostic.snippet.start,
            "highlight_end_offset": diagnostic.snippet.end,
            "values": [],
        }
    return result


def document(diagnostics: list[Diagnostic]) -> dict[str, Any]:
    """All diagnostics of a run, as `validate --format json` prints them."""
    errors = sum(item.severity is Severity.ERROR for item in diagnostics)
    return {
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(diagnostics) - errors,
        "diagnostics": [data(item) for item in diagnostics],
    }
