"""Where secrets are read from: one module for each kind of store.

A new one is a module beside these: its section of the settings, and a class that fits
`store.Store`. Then it gets its form in `references.FORMS`, its section in `settings.SecretSettings`
and its line in `opened.Stores`.
"""
