"""The dashboard's commands: serve, migrate, audit, import-stores."""

import sys

from dashboard.commands import main

sys.exit(main())
