"""What runs guessed of the test clips, clip by clip, as comparisons and intervals need it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from sslslr.utils.errors import UserError

# metrics.csv may be rounded; half of one clip in a thousand is not a disagreement.
ROUNDING = 5e-4
ABOUT = ["run_id", "dataset", "protocol"]
Key = tuple[str, str, str]  # values of `ABOUT`


def keys_of(rows: pd.DataFrame) -> list[Key]:
    """Each run of these rows with its data set and protocol, sorted."""
    return sorted(set(rows[ABOUT].itertuples(index=False, name=None)))


def with_labels(frame: pd.DataFrame, fraction: float = 1.0) -> pd.DataFrame:
    """Rows of metrics or predictions that learnt from this share of the labels."""
    return frame[np.isclose(frame["label_fraction"], fraction, atol=1e-5) & (frame["shots"] == 0)]


class Guesses:
    """First guesses by run, data set and protocol, looked up when asked for and kept.

    Args:
        predictions, metrics: of the same evaluations; other label fractions are left out.
        fraction: share of the labels that the probes learnt from.
    """

    def __init__(self, predictions: pd.DataFrame, metrics: pd.DataFrame, fraction: float = 1.0):
        stated = with_labels(metrics, fraction)
        self._stated = dict(list(stated[stated["metric"] == "top1"].groupby(ABOUT)))
        self._predictions = with_labels(predictions, fraction)
        self._rows = self._predictions.groupby(ABOUT).indices
        self._guesses: dict[Key, tuple[pd.Series, pd.DataFrame]] = {}

    def of(self, run_id: str, dataset: str, protocol: str) -> tuple[pd.Series, pd.DataFrame]:
        """The clips' labels, and the first guesses with a column a probe seed; sorted by clip id.

        Raises:
            UserError: no predictions, a clip that occurs twice or not for all probe seeds, or
                predictions that contradict the metrics.
        """
        key = (run_id, dataset, protocol)
        if key not in self._guesses:
            where = f"predictions of run {run_id!r} on {dataset!r} ({protocol})"
            if key not in self._rows:
                raise UserError(f"{where}: none found. Give the run's predictions.parquet as well.")
            table = self._predictions.take(self._rows[key])
            if table.duplicated(["clip_id", "probe_seed"]).any():
                raise UserError(f"{where}: a clip occurs twice. Evaluate the run again.")
            first = table["best"].str[0].set_axis([table["clip_id"], table["probe_seed"]])
            guesses = first.unstack()  # noqa: PD010 (a third of the time of pivot_table)
            if guesses.isna().any(axis=None):
                raise UserError(
                    f"{where}: other test clips for one probe seed than for another. Evaluate the run again."
                )
            labels = table.groupby("clip_id")["label"].first()
            self._check(where, key, guesses.eq(labels, axis=0).mean())
            self._guesses[key] = labels, guesses
        return self._guesses[key]

    def _check(self, where: str, key: tuple[str, str, str], measured: pd.Series) -> None:
        """Raise where the metrics of the same probe seeds state another top-1."""
        if key not in self._stated:
            return
        stated = self._stated[key].set_index("probe_seed")["value"]
        measured.index = measured.index.astype(float)
        stated.index = stated.index.astype(float)
        difference = (stated - measured).abs()
        if difference.isna().any() or (difference > ROUNDING).any():
            raise UserError(
                f"{where}: top-1 {measured.round(4).to_dict()} by probe seed, but metrics.csv says "
                f"{stated.round(4).to_dict()}; the files are of different evaluations. "
                "Evaluate the run again."
            )

    def same_clips(self, keys: Iterable[Key]) -> tuple[pd.Series, list[pd.DataFrame]]:
        """The labels, and each run's guesses as :meth:`of`.

        Args:
            keys: run, data set and protocol of each.

        Raises:
            UserError: runs that were scored on other clips or labels.
        """
        reference: tuple[str, pd.Series] | None = None
        every = []
        for run_id, dataset, protocol in keys:
            labels, guesses = self.of(run_id, dataset, protocol)
            if reference is None:
                reference = run_id, labels
            elif not labels.equals(reference[1]):
                raise UserError(
                    f"predictions on {dataset!r} ({protocol}): runs {reference[0]!r} and {run_id!r} "
                    f"were scored on other test clips or labels ({len(reference[1])} and "
                    f"{len(labels)} clips), so they cannot be compared. Evaluate both again on the same data."
                )
            every.append(guesses)
        if reference is None:
            raise ValueError("no run")
        return reference[1], every

    def correctness(self, keys: Iterable[Key]) -> pd.DataFrame:
        """Share of a run's probes that got a clip right: a row a run, a column a clip.

        Args:
            keys: run, data set and protocol of each.

        Raises:
            UserError: runs that were scored on other clips or labels.
        """
        keys = list(keys)
        labels, guesses = self.same_clips(keys)
        rows = [frame.eq(labels, axis=0).mean(axis=1) for frame in guesses]
        return pd.DataFrame(rows, index=pd.Index([key[0] for key in keys], name="run_id"))
