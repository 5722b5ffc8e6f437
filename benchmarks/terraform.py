"""What a user would run instead: as many `terraform_data` resources with the same fields.

`python -m benchmarks.terraform --servers N` times `terraform plan` with nothing to change. To apply
thousands of resources takes Terraform minutes, so their state is written instead: three of them
are applied for real, and what is written for these has to be what Terraform wrote.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.measure import Command, Cost, medians, once
from benchmarks.partners import partners
from benchmarks.terraform_state import Json, resource, shapes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.partners import Server

RECORDED = """\
Terraform 1.11.4 on two shared cores:   1,000 servers   5,000 servers   10,000 servers
plan, nothing to change                       5-9 s         30-46 s          57-61 s
first apply                                     2 s           231 s            572 s
peak memory                                  0.3 GB          1.2 GB       2.3-2.5 GB"""
_SAMPLE = 3


def is_here() -> bool:
    return shutil.which("terraform") is not None


def measure(servers: int, folder: Path, runs: int = 1) -> Cost:
    """The medians of a plan with nothing to change, after one to warm up."""
    _write(servers, folder)
    plan = _command(folder, "plan", "-refresh=true", "-detailed-exitcode")
    once(plan)  # it ends in 0 only where Terraform finds no changes
    return medians([once(plan) for _ in range(runs)])


def _write(servers: int, folder: Path) -> None:
    """The configuration, and the state that an apply of it would have left."""
    sample = dict(islice(_inputs(servers), _SAMPLE))
    state = _applied(sample, folder / "sample")
    written = [resource(name, fields) for name, fields in sample.items()]
    assert shapes(state["resources"]) == shapes(written), "Terraform's state has another shape"
    _write_configuration(_inputs(servers), folder)
    _write_state(state, _inputs(servers), folder)
    once(_command(folder, "init"))


def _inputs(servers: int) -> Iterator[tuple[str, Json]]:
    """Each server by a name of its own, with the fields its manifest has."""
    for partner in partners(servers):
        for server in partner.mail_servers():
            yield f"{partner.id}-{server.id}", _fields(server)


def _fields(server: Server) -> Json:
    sender = {"name": server.sender_name, "email": server.username}
    return {
        "direction": "outgoing" if server.outgoing else "incoming",
        "protocol": "smtp" if server.outgoing else "imap",
        "nickname": server.nickname,
        "active": True,
        "host": server.host,
        "username": server.username,
        "password": {"env": server.password_env},
        **({"sender": sender} if server.outgoing else {"folder": "INBOX"}),
        "companies": [
            {"cnpj": cnpj, "sender_name": name} if name else {"cnpj": cnpj}
            for cnpj, name in server.links
        ],
    }


def _applied(inputs: Json, folder: Path) -> Json:
    """The state that Terraform leaves after it really applied these."""
    _write_configuration(inputs.items(), folder)
    once(_command(folder, "init"))
    once(_command(folder, "apply", "-auto-approve"))
    state: Json = json.loads((folder / "terraform.tfstate").read_bytes())
    return state


def _write_configuration(inputs: Iterable[tuple[str, Json]], folder: Path) -> None:
    members = (f"{json.dumps(name)}: {json.dumps({'input': fields})}" for name, fields in inputs)
    _write_text(folder / "main.tf.json", '{"resource": {"terraform_data": {', members, "}}}")


def _write_state(like: Json, inputs: Iterable[tuple[str, Json]], folder: Path) -> None:
    head = json.dumps({key: value for key, value in like.items() if key != "resources"})
    resources = (json.dumps(resource(name, fields)) for name, fields in inputs)
    _write_text(folder / "terraform.tfstate", f'{head[:-1]}, "resources": [', resources, "]}")


def _write_text(file: Path, start: str, items: Iterable[str], end: str) -> None:
    """Item by item: what this process once held would count as the peak of every child."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as text:
        text.write(start)
        for place, item in enumerate(items):
            text.write(f",\n{item}" if place else item)
        text.write(end)


def _command(folder: Path, *words: str) -> Command:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "CHECKPOINT_DISABLE": "1"}
    return Command(("terraform", *words, "-input=false", "-no-color"), folder, environment)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.terraform", description=__doc__)
    parser.add_argument("--servers", type=int, default=1_000, metavar="N")
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    if not is_here():
        print(f"There is no terraform on the PATH. Measured before:\n\n{RECORDED}")
        return
    with TemporaryDirectory(prefix="reconciler-bench-") as folder:
        cost = measure(arguments.servers, Path(folder), arguments.runs)
    print(
        f"terraform plan of {arguments.servers:,} servers, nothing to change: "
        f"{cost.wall:.2f} s, {cost.cpu:.2f} s of processor, {cost.memory:,.0f} MiB at its peak"
    )


if __name__ == "__main__":
    main()
