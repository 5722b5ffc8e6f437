"""Start a server, say where it is, and stop it when the run is over: a process for each server.

Called with the name of the server and the folder of the run, from the folder of the tests.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.support.servers import SERVERS
from tests.support.servers.home import Home
from tests.support.servers.runs import wait_for_the_end


def main(name: str, folder: Path) -> None:
    home = Home(folder / name)
    try:
        answer = _answer(name, home)
        written = home.folder / "answer"
        written.write_text(json.dumps(answer))
        written.rename(folder / f"{name}.json")
        wait_for_the_end(folder)
    finally:
        home.stop()
        shutil.rmtree(home.folder, ignore_errors=True)
        if not any(folder.glob("*/")):
            shutil.rmtree(folder, ignore_errors=True)


def _answer(name: str, home: Home) -> list[str] | str:
    try:
        return SERVERS[name].start(home)
    except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits is told
        return f"{name} did not start: {error}"


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
