"""Names of rows and read-outs, as tables show them."""

import pytest

from sslslr.config.study import EncoderConfig
from sslslr.report.names import read_out


@pytest.mark.parametrize(
    ("encoder", "views", "shown"),
    [
        (EncoderConfig(), 0, "class token"),
        (EncoderConfig(pooling="mean_max_deviation"), 6, "mean max deviation, mean of 7 views"),
        (EncoderConfig(variant="raw"), 0, ""),
        (EncoderConfig(variant="raw"), 2, "mean of 3 views"),
        (EncoderConfig(variant="of_another_machine"), 0, ""),
    ],
)
def test_a_read_out_says_the_pooling_and_what_features_are_averaged_over(encoder, views, shown):
    assert read_out(encoder, views) == shown
