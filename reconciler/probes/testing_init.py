"""Tests of what the database has: which mail servers, with which secrets, and what came of it.

Whom a test connects to, and with which secret, is read from the database alone: a credential never
goes to a host that was not applied.
"""
