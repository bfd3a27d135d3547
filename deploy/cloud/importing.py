"""Azure's large libraries are imported where they are first needed, by one thread at a time.

Their packages import each other in circles: of two threads that begin at different ends, one finds half a module.
"""

from __future__ import annotations

import threading

ONE_AT_A_TIME = threading.RLock()
