"""The provider's commands: serve, migrate, import, import-stays, generate."""

import sys

from common import interruption

with interruption.told():
    from provider.commands import main

    sys.exit(main())
