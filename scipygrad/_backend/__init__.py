"""The kernels, one file per device, chosen by the operands."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .._core.layout import DEVICE_ARRAYS


def backend(*operands: Any) -> ModuleType:
    """The module of kernels for these operands; it is imported when first needed."""
    if DEVICE_ARRAYS and any(type(x) in DEVICE_ARRAYS for x in operands):
        from .._core.device import refuse_mixed
        from . import gpu

        refuse_mixed(operands)
        return gpu
    from . import cpu

    return cpu
