"""The dashboard's commands: serve, migrate, audit, import-stores."""

import sys

from common import interruption

with interruption.told():
    from dashboard.commands import main

    sys.exit(main())
