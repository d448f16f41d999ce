"""The numbers of all advisory locks. A test checks that no other file contains one and that all numbers differ.

All but one last until the transaction ends: session locks do not work behind a transaction pooler.
"""

MIGRATION_LOCK = 7_240_911_001
"""Held while a migration is applied."""

DATABASE_CREATION_LOCK = 7_240_911_002
"""Held by a session on the embedded server while it creates a database, which no transaction can do."""

OFFERS_TOKEN_LOCK = 7_240_911_003
"""Held while the provider issues an offers token if none is valid."""

STORE_IMPORT_LOCK = 7_240_911_004
"""Held while the dashboard stores an import of stores, hours or polls."""

ROOM_LINKS_LOCK = 7_240_911_005
"""Held while a property of the storefront is linked to another room of a hotel."""

WATCHED_ROOMS_LOCK = 7_240_911_006
"""Shared by the transactions that store booking events; exclusive while a room begins to be watched. The number stands
again in provider/migrations/functions/booking_events.sql, since triggers take this lock."""

PROPERTY_SEGMENTS_LOCK = 7_240_911_007
"""Shared by the transactions that create properties; exclusive while some move to another segment of ids. The number
stands again in provider/migrations/functions/{free_stretches,stays}.sql, whose functions take this lock."""

ALL_PROPERTIES_LOCK = 7_240_911_008
"""Shared by the transactions that change the nights of some properties; exclusive in those that change very many. The
number stands again in provider/migrations/functions/stays.sql, since triggers take this lock."""

LEDGER_LOCK = 7_240_911_009
"""Held while a transaction changes the dashboard's ledger of events, or the time zones of its counters."""

DEMO_DATA_LOCK = 7_240_911_010
"""Held while a start of the demo adds its data."""

FRONT_DESK_ORDER_LOCK = 7_240_911
"""First of two keys; the second is the hash of an order's id. Held while the dashboard receives the order."""

PROPERTY_LOCK_SEED = 7_240_912
"""Seed of the hash of a property's id. Held while the nights of the property change. The number stands again in
provider/migrations/functions/stays.sql, since triggers take this lock."""

UPTIME_REPORT_LOCK = 7_240_913
"""First of two keys; the second is the hash of a report's id. Held while the report is made."""

ALERT_RULE_LOCK = 7_240_914
"""First of two keys; the second is the hash of the name of a rule. Held while the dashboard evaluates the rule."""
