"""The provider's commands: serve, migrate, import, import-stays, audit, generate."""

import sys

from common import ctrl_c

with ctrl_c.exit_quietly_on_interrupt():
    from provider.cli import main

    sys.exit(main())
