"""VM sizes for managed online endpoints: cores, GPUs, memory, price, and exemption from the 20 % extra quota.

Sizes, families and exemptions are those of the published list. Prices are rounded pay-as-you-go list prices of East US,
for tests, not for accounting.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """One size. `price` is US dollars per hour, `memory` GB; `exempt` sizes need no extra quota for upgrades."""

    name: str
    family: str
    cores: int
    gpus: int
    memory: float
    price: float
    exempt: bool = False
    supports_endpoints: bool = True

    def quota_cores(self, instances: int) -> int:
        """The cores to reserve: 20 % more instances, rounded up, unless the size is exempt."""
        return (instances if self.exempt else -(-6 * instances // 5)) * self.cores


@dataclass(frozen=True)
class Family:
    """A quota family; `limit` is its number of cores in the default world, `title` its name in usages."""

    name: str
    title: str
    limit: int


FAMILIES = (
    Family("standardDASv4Family", "Standard DASv4 Family", 24),
    Family("standardDAv4Family", "Standard DAv4 Family", 24),
    Family("standardDSv2Family", "Standard DSv2 Family", 100),
    Family("standardESv3Family", "Standard ESv3 Family", 24),
    Family("standardFSv2Family", "Standard FSv2 Family", 24),
    Family("standardFXMDVSFamily", "Standard FXMDVS Family", 0),
    Family("standardLASv3Family", "Standard LASv3 Family", 0),
    Family("standardLSv2Family", "Standard LSv2 Family", 0),
    Family("standardLSv3Family", "Standard LSv3 Family", 0),
    Family("standardNCADSA100v4Family", "Standard NCADSA100v4 Family", 96),
    Family("standardNCADSH100v5Family", "Standard NCADSH100v5 Family", 80),
    Family("Standard NCASv3_T4 Family", "Standard  NCASv3_T4  Family", 64),
    Family("standardNCSv2Family", "Standard NCSv2 Family", 0),
    Family("standardNCSv3Family", "Standard NCSv3 Family", 24),
    Family("standard NDAMSv4_A100Family", "Standard  NDAMSv4_A100 Family", 0),
    Family("Standard NDASv4_A100 Family", "Standard  NDASv4_A100  Family", 0),
    Family("standardNDSv2Family", "Standard NDSv2 Family", 0),
    Family("standardNDv5H100Family", "Standard NDv5H100 Family", 0),
    Family("StandardNVADSA10v5Family", "Standard NVADSA10v5 Family", 0),
)
SPELLED_OF_SIZES = {
    "standardNCADSA100v4Family": "StandardNCADSA100v4Family",
    "standardNCADSH100v5Family": "StandardNCadsH100v5Family",
}
"""Family in `usages` and `quotas` -> the other spelling of it that `vmSizes` has (recorded)."""
TOTAL_LIMIT = 300
"""TotalDedicatedCores of the default world, over all families."""


def _series(family: str, pattern: str, cores: tuple[int, ...], memory: float, price: float) -> tuple[Size, ...]:
    return tuple(Size(pattern.format(n), family, n, 0, n * memory, round(n * price, 3)) for n in cores)


SIZES = (
    *_series("standardDASv4Family", "Standard_D{}as_v4", (2, 4, 8, 16, 32, 48, 64, 96), 4, 0.048),
    *_series("standardDAv4Family", "Standard_D{}a_v4", (2, 4, 8, 16, 32, 48, 64, 96), 4, 0.048),
    Size("Standard_DS1_v2", "standardDSv2Family", 1, 0, 3.5, 0.073),
    Size("Standard_DS2_v2", "standardDSv2Family", 2, 0, 7, 0.146),
    Size("Standard_DS3_v2", "standardDSv2Family", 4, 0, 14, 0.293),
    Size("Standard_DS4_v2", "standardDSv2Family", 8, 0, 28, 0.585),
    Size("Standard_DS5_v2", "standardDSv2Family", 16, 0, 56, 1.17),
    Size("Standard_DS11_v2", "standardDSv2Family", 2, 0, 14, 0.185, supports_endpoints=False),
    Size("Standard_DS12_v2", "standardDSv2Family", 4, 0, 28, 0.371, supports_endpoints=False),
    Size("Standard_DS13_v2", "standardDSv2Family", 8, 0, 56, 0.741, supports_endpoints=False),
    Size("Standard_DS14_v2", "standardDSv2Family", 16, 0, 112, 1.482, supports_endpoints=False),
    *_series("standardESv3Family", "Standard_E{}s_v3", (2, 4, 8, 16, 32, 48, 64), 8, 0.063),
    *_series("standardFSv2Family", "Standard_F{}s_v2", (2, 4, 8, 16, 32, 48, 64, 72), 2, 0.0423),
    *_series("standardFXMDVSFamily", "Standard_FX{}mds", (4, 12, 24, 36, 48), 21, 0.093),
    *_series("standardLASv3Family", "Standard_L{}as_v3", (8, 16, 32, 48, 64, 80), 8, 0.078),
    *_series("standardLSv2Family", "Standard_L{}s_v2", (8, 16, 32, 48, 64, 80), 8, 0.078),
    *_series("standardLSv3Family", "Standard_L{}s_v3", (8, 16, 32, 48, 64, 80), 8, 0.087),
    Size("Standard_NC24ads_A100_v4", "standardNCADSA100v4Family", 24, 1, 220, 3.673, exempt=True),
    Size("Standard_NC48ads_A100_v4", "standardNCADSA100v4Family", 48, 2, 440, 7.346, exempt=True),
    Size("Standard_NC96ads_A100_v4", "standardNCADSA100v4Family", 96, 4, 880, 14.692, exempt=True),
    Size("Standard_NC40ads_H100_v5", "standardNCADSH100v5Family", 40, 1, 320, 6.98, exempt=True),
    Size("Standard_NC80adis_H100_v5", "standardNCADSH100v5Family", 80, 2, 640, 13.96, exempt=True),
    Size("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 1, 28, 0.526),
    Size("Standard_NC8as_T4_v3", "Standard NCASv3_T4 Family", 8, 1, 56, 0.752),
    Size("Standard_NC16as_T4_v3", "Standard NCASv3_T4 Family", 16, 1, 110, 1.204),
    Size("Standard_NC64as_T4_v3", "Standard NCASv3_T4 Family", 64, 4, 440, 4.352),
    Size("Standard_NC6s_v2", "standardNCSv2Family", 6, 1, 112, 2.07),
    Size("Standard_NC12s_v2", "standardNCSv2Family", 12, 2, 224, 4.14),
    Size("Standard_NC24s_v2", "standardNCSv2Family", 24, 4, 448, 8.28),
    Size("Standard_NC6s_v3", "standardNCSv3Family", 6, 1, 112, 3.06),
    Size("Standard_NC12s_v3", "standardNCSv3Family", 12, 2, 224, 6.12),
    Size("Standard_NC24s_v3", "standardNCSv3Family", 24, 4, 448, 12.24),
    Size("Standard_ND96amsr_A100_v4", "standard NDAMSv4_A100Family", 96, 8, 1900, 32.77, exempt=True),
    Size("Standard_ND96asr_v4", "Standard NDASv4_A100 Family", 96, 8, 900, 27.197, exempt=True),
    Size("Standard_ND40rs_v2", "standardNDSv2Family", 40, 8, 672, 22.032, exempt=True),
    Size("Standard_ND96is_H100_v5", "standardNDv5H100Family", 96, 8, 1900, 98.32, exempt=True),
    Size("Standard_ND96isr_H100_v5", "standardNDv5H100Family", 96, 8, 1900, 98.32, exempt=True),
    Size("Standard_NV6ads_A10_v5", "StandardNVADSA10v5Family", 6, 1, 55, 0.454),
    Size("Standard_NV12ads_A10_v5", "StandardNVADSA10v5Family", 12, 1, 110, 0.908),
    Size("Standard_NV18ads_A10_v5", "StandardNVADSA10v5Family", 18, 1, 220, 1.6),
    Size("Standard_NV36ads_A10_v5", "StandardNVADSA10v5Family", 36, 1, 440, 3.2),
    Size("Standard_NV36adms_A10_v5", "StandardNVADSA10v5Family", 36, 1, 880, 4.52),
    Size("Standard_NV72ads_A10_v5", "StandardNVADSA10v5Family", 72, 2, 880, 6.52),
)
_BY_NAME = {size.name.lower(): size for size in SIZES}


def find(name: str) -> Size | None:
    """A size by its name, in any case."""
    return _BY_NAME.get(name.lower())
