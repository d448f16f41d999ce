"""The dashboard's commands: serve, migrate, audit."""

import sys

from dashboard.commands import main

sys.exit(main())
