"""Checks of mailboxes: one conversation with a server, what its failures mean, and many of them."""
