"""Which types of probe there are."""

from __future__ import annotations

import pytest

from deploy import probes
from deploy.errors import DeployError

TYPES = ["http", "medimageparse", "medimageparse3d", "medimageinsight", "cxrreportgen", "gigapath"]


@pytest.mark.parametrize("name", TYPES)
def test_each_probe_type_has_a_module(name):
    """A type with a module is found by its name."""
    check = probes.find(name)
    assert callable(check.request)
    assert callable(check.check)


@pytest.mark.parametrize("name", ["", "gigatime", "HTTP"])
def test_an_unknown_type_is_refused_with_the_known_ones(name):
    """A type without a module names those that have one."""
    with pytest.raises(DeployError, match=rf"no probe of type .*Use one of: {', '.join(TYPES)};"):
        probes.find(name)
