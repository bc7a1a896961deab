"""Importing mmpose 1.3.2 without mmdet and without mmcv's compiled operators.

Two of its heads import names from packages that are not installed: RTMO's, only for losses of its
training, and ED-Pose's, which no model here uses. While mmpose is imported, stand-ins answer for
those names; afterwards they are taken away, so that nothing else finds a package that is not there.
`mmpose.apis` is not imported: it needs torchvision and pkg_resources, and its two functions that
would be used are short.
"""

import contextlib
import importlib.util
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

from sslslr.pose.backends import missing
from sslslr.utils.errors import UserError


def import_mmpose() -> Any:
    """The module mmpose, with its models and transforms registered.

    Raises:
        UserError: mmpose or what it needs is not installed.
    """
    try:
        with _stand_ins(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mmpose.datasets.transforms
            import mmpose.models
    except ImportError as error:
        raise missing("mmpose", error) from None
    # Its own use of torch's older names is nothing that a user could mend.
    warnings.filterwarnings("ignore", category=FutureWarning, module="mmpose")
    return mmpose


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    added = {}
    if importlib.util.find_spec("mmdet") is None:
        utils = types.ModuleType("mmdet.utils")
        utils.ConfigType, utils.reduce_mean = dict, _unavailable
        package = types.ModuleType("mmdet")
        package.utils, package.__path__ = utils, []
        added |= {"mmdet": package, "mmdet.utils": utils}
    if importlib.util.find_spec("mmcv") and importlib.util.find_spec("mmcv._ext") is None:
        operators = types.ModuleType("mmcv.ops")
        operators.MultiScaleDeformableAttention = _Unavailable
        added["mmcv.ops"] = operators
    added = {name: module for name, module in added.items() if name not in sys.modules}
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            sys.modules.pop(name, None)


def _unavailable(*args: Any, **settings: Any) -> None:
    raise UserError("this mmpose model needs mmdet or compiled mmcv, which are not installed.")


class _Unavailable:
    def __init__(self, *args: Any, **settings: Any):
        _unavailable()
