"""Print one line per fault; the exit status is 1 if there is any."""

import sys
from pathlib import Path

from . import all_faults

found = all_faults(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
for fault in found:
    sys.stdout.write(fault + "\n")
sys.exit(bool(found))
