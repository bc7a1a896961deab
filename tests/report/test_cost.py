"""The table of cost against plain sums over run.json."""

import pandas as pd
import pytest

from sslslr.report.tables import cost


def run(seed=0, variant="paper", method="sl_fpn", seconds=61.5, **measured) -> dict:
    trains = method != "raw_keypoints"
    return {
        "spec": {
            "run_id": f"{method}.{variant}.s{seed}",
            "method": method,
            "augmentation": "strong" if trains else "none",
            "dataset": "toy" if trains else "none",
            "tag": None,
            "encoder": {
                "variant": variant,
                **({} if variant == "raw" else {"depth": 2, "width": 64, "heads": 4}),
            },
            "pretrain": {"epochs": 3, "batch_size": 32},
        },
        "cost": {"wall_seconds": seconds, "device": "cpu", **measured},
        "collapsed": seed == 1,
        "n_clips": 48,
        "parameters": 12345,
    }


def test_a_row_is_of_one_encoder_over_its_seeds(tmp_path):
    runs = [
        run(0, clips_per_second=100.0, peak_memory_mb=500.0),
        run(1, clips_per_second=300.0, peak_memory_mb=700.0),
        run(0, variant="as_released"),
    ]
    table = cost.costs(runs)
    assert table.columns.tolist() == cost.FIELDS
    assert table["variant"].tolist() == ["paper", "as_released"]
    row = table.iloc[0]
    assert (row["seeds"], row["collapsed"], row["seconds"]) == (2, 1, 123.0)
    assert (row["clips_per_second"], row["peak_memory_mb"]) == (200.0, 700.0)
    assert pd.isna(row["gpu_hours"])
    shown = cost.Cost().shown(table)
    assert shown["Seconds"].tolist() == ["123.0", "61.5"]
    assert shown["Clips/s"].tolist() == ["200", "–"]
    assert shown["Collapsed"].tolist() == ["1 of 2", "0 of 1"]


def test_gpu_hours_are_of_all_devices():
    on_gpu = {"device": "NVIDIA H100", "devices": 4}
    runs = [run(0, seconds=1800, **on_gpu), run(1, seconds=1800, **on_gpu)]
    assert cost.costs(runs)["gpu_hours"].tolist() == [pytest.approx(4.0)]


def test_what_was_not_pretrained_or_not_measured_is_a_dash():
    row = (
        cost.Cost()
        .shown(cost.costs([run(variant="raw", method="raw_keypoints", seconds=0.1)]))
        .iloc[0]
    )
    names = [
        "Pretrained on",
        "Views",
        "Blocks x width",
        "Batch",
        "Collapsed",
        "Clips/s",
        "GPU-hours",
    ]
    assert set(row[names]) == {"–"}


def test_the_files_hold_numbers_for_machines_and_words_for_people(tmp_path):
    table = cost.costs([run(clips_per_second=1234.5)])
    paths = cost.Cost().write(table, tmp_path / "cost", " Study toy.")
    assert [path.suffix for path in paths] == [".csv", ".md", ".tex"]
    assert pd.read_csv(paths[0])["clips_per_second"].tolist() == [1234.5]
    assert "1,234" in paths[1].read_text()
    assert "Study toy." in paths[2].read_text()
