"""Secrets: where they are, how they are read, and how the database keeps them.

`references`, `scope` and `secret` are pure; the rest is imported where secrets are really read.
"""
