"""What mmpose's options refuse; needs no mmpose."""

import pytest

from sslslr.pose.backends import BACKENDS
from sslslr.pose.model import Extraction, _recorded, backend_options
from sslslr.utils.errors import UserError


def options(**values):
    return backend_options(Extraction(backend="mmpose", backend_options=values))


def test_there_is_no_detector_unless_one_is_named():
    assert BACKENDS.get("mmpose").Options().detector == "none"
    assert options(detector="rtmo-s").detector_stride == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"detector_weights": "a.pth"}, "detector_weights is given, but `detector` is none"),
        ({"detector_stride": 2}, "detector_stride is given"),
        ({"detector": "rtmo-s", "box": "picture"}, "a detector gives the box"),
        ({"detector": "yolo"}, "rtmo-s"),
        ({"detector": "rtmo-s", "detector_stride": 0}, "detector_stride"),
    ],
)
def test_options_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(UserError, match=message):
        options(**values)


def test_a_card_shows_the_detector_and_not_where_its_weights_lie():
    shown = _recorded(options(detector="rtmo-s", detector_weights="here/a.pth", weights="b.pth"))
    assert shown["detector"] == "rtmo-s"
    assert "here/a.pth" not in shown.values()
    assert "b.pth" not in shown.values()
    assert shown["detector_weights_sha256"] is None
