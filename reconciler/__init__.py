"""Config-as-code for the partner mail servers of a multi-company invoicing platform."""

__version__ = "0.1.0"
