"""What every table says of its text, in the words of the databases that need telling."""

BINARY = {
    "mariadb_default_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_nopad_bin",
}
"""MariaDB compares text by a language's rules unless told otherwise: `Acme`, `ACME`, `Áçme` and
`Acme ` would be one name. SQLite and PostgreSQL compare the characters as they are.
"""
