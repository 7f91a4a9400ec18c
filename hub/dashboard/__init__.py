"""The page: what the hub knows, for people, rendered here and readable without a script.

It asks the same functions as the HTTP API and takes the same filters, so no number can differ between the two.
"""
