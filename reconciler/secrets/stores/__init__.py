"""Where secrets are read from: one module for each kind of store.

A new one is a module beside these, with its section of the settings, a class that fits
`store.Store` and its `StoreKind`, and a line in `kinds.KINDS`.
"""
