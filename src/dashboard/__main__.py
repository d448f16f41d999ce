"""The dashboard's commands: serve, migrate, audit, import-stores."""

import sys

from common import ctrl_c

with ctrl_c.told():
    from dashboard.cli import main

    sys.exit(main())
