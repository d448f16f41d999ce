"""The dashboard's commands: serve, migrate, audit, import-stores."""

import sys

from common import ctrl_c

with ctrl_c.exit_quietly_on_interrupt():
    from dashboard.cli import main

    sys.exit(main())
