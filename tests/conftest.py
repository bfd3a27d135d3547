"""What holds for every test: properties are tried as often on a busy machine as on an idle one."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
