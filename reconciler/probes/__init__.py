"""Tests of mailboxes: which, with which secrets, one conversation each, and what failures mean.

Hosts and the references of their secrets are read from the same row of the database: a credential
never goes to a host that was not applied with it. Only before an apply both come from the plan.
"""
