"""The numbers of all advisory locks. A test holds that no other file has one, and that no number is here twice.

All but one are locks of a transaction: locks of a session do not work behind a transaction pooler.
"""

MIGRATION_LOCK = 7_240_911_001
"""Held while a migration is applied."""

DATABASE_CREATION_LOCK = 7_240_911_002
"""Held by a session on the embedded server while it creates a database, which no transaction can do."""

OFFERS_TOKEN_LOCK = 7_240_911_003
"""Held while the provider issues an offers token if none is valid."""

STORE_IMPORT_LOCK = 7_240_911_004
"""Held while the dashboard stores an import of stores, hours or polls."""

FRONT_DESK_ORDER_LOCK = 7_240_911
"""First of two keys; the second is the hash of an order's id. Held while the dashboard receives the order."""

PROPERTY_LOCK_SEED = 7_240_912
"""Seed of the hash of a property's id. Held while the nights of the property change. The number stands again in
provider/migrations/functions/stays.sql, since triggers take this lock."""
