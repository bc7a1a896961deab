"""`pool`: the training clips of several sets, and none that a member is scored on."""

from pathlib import Path

import numpy as np
import pytest

from sslslr.cli._store import about
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.datasets import build
from sslslr.data.store import ClipStore, writing
from sslslr.evaluation.pools import in_pool, pool_contents, refuse_tested
from sslslr.statistics.claims import Claims
from sslslr.utils.errors import UserError
from sslslr.workflow import commands, grid
from sslslr.workflow.check import check

CARD = {
    "languages": ["ase"],
    "licence": "CC0",
    "citation": "Us",
    "origin": "",
    "split_rule": "",
    "inputs": {},
}


def clip(seed, joints=75):
    return np.random.default_rng(seed).uniform(0.2, 0.8, (4, joints, 2)).astype(np.float16)


def store(folder, name, clips, **card):
    with writing(folder / name / "clips", {"dataset": name, **CARD, **card}) as writer:
        for number, (split, frames) in enumerate(clips):
            writer.add(
                f"c{number}",
                frames,
                gloss="hello",
                signer="s01",
                split=split,
                language=card.get("code"),
            )


@pytest.fixture
def data(tmp_path):
    whole = [*(("train", clip(n)) for n in range(8)), ("val", clip(20)), ("test", clip(21))]
    store(tmp_path, "asl", whole)
    copies = [("train", clip(30, 42)), ("train", clip(31, 42)), ("test", clip(32, 42))]
    store(tmp_path, "hands", copies, languages=["bzs"], licence="C-UDA", citation="")
    # Two of its training clips are test clips: its own, and another member's.
    store(
        tmp_path,
        "leaky",
        [("train", clip(40)), ("train", clip(41)), ("test", clip(41)), ("train", clip(21))],
    )
    return tmp_path


def pool(data, members, said=None, **options):
    out = data / "pool" / "clips"
    lines = [] if said is None else said
    build("pool", "pool", {"members": members, **options}, out, data, say=lines.append)
    return ClipStore.open(out)


def test_it_has_the_training_clips_alone_and_says_whose(data):
    said = []
    made = pool(data, ["asl", "hands"], said)
    assert made.clips["clip_id"].tolist() == [f"asl:c{n}" for n in range(8)] + [
        "hands:c0",
        "hands:c1",
    ]
    assert set(made.clips["split"]) == {"train"}
    assert set(made.clips["signer"]) == {"asl:s01", "hands:s01"}  # two persons, though of one name
    # What one lacks is masked in both, and said.
    assert np.isnan(np.asarray(made.keypoints)[:, 42:]).all()
    np.testing.assert_array_equal(made.frames(0)[:, :42], clip(0)[:, :42])
    told = made.card["members"]
    assert [told[name]["share"] for name in told] == [0.8, 0.2]
    assert told["asl"]["joints_masked"] == {"body": 33}
    assert told["hands"]["joints_masked"] == {}
    assert made.card["languages"] == ["ase", "bzs"]
    assert made.card["licence"] == "asl: CC0; hands: C-UDA"
    assert set(made.card["inputs"]) == {
        f"{m}/{f}" for m in told for f in ("keypoints.npy", "clips.parquet")
    }
    assert (
        "pool: asl: 33 of 33 joints of the body masked, because another member lacks them." in said
    )
    assert "pool: asl: 8 of 8 training clips, 80.0 % of the pool, 1 signers; licence: CC0." in said
    assert "member hands: 2 clips, 20.0 %" in list(about(made))


def test_each_keeps_its_joints_where_that_is_asked(data):
    made = pool(data, ["asl", "hands"], joints="all")
    np.testing.assert_array_equal(made.frames(0), clip(0))
    assert np.isnan(made.frames(8)[:, 42:]).all()


def test_no_clip_that_a_member_is_scored_on(data):
    made = pool(data, ["asl", "leaky"])
    assert "leaky:c0" in set(made.clips["clip_id"])
    assert {d["clip_id"]: d["reason"] for d in made.card["dropped"]["clips"]} == {
        "leaky:c1": "same keypoints as a test clip of leaky",
        "leaky:c3": "same keypoints as a test clip of asl",
    }
    # A share of 0 adds nothing, and keeps its clips out.
    guarded = pool(data, {"leaky": 1, "asl": 0})
    assert set(guarded.clips["member"]) == {"leaky"}
    assert len(guarded) == 1
    # Without it, the target is refused when it is scored.
    alone = pool(data, ["leaky"])
    asl = ClipStore.open(data / "asl" / "clips")
    seen = in_pool(asl, np.arange(10), pool_contents(alone.path))
    assert np.flatnonzero(seen).tolist() == [9]
    with pytest.raises(
        UserError, match=r"1 test clips of target 'asl' are in the pool 'pool' \('c9'\)"
    ):
        refuse_tested(asl, asl.clips["clip_id"][seen].tolist(), "pool", "asl")
    refuse_tested(asl, [], "pool", "asl")


def test_shares_are_drawn_and_nested(data):
    half, more = (set(pool(data, {"asl": share}).clips["clip_id"]) for share in ("1/2", 0.75))
    assert (len(half), len(more)) == (4, 6)
    assert half < more


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"asl": 0}, "every member has the share 0"),
        (["asl", "asl"], "names asl twice"),
        ([], "at least 1 item"),
        ({"asl": 1.5}, "not between 0 and 1"),
        (["absent"], "keypoints.npy: missing"),
    ],
)
def test_what_is_no_pool(data, members, words):
    with pytest.raises(UserError, match=words):
        pool(data, members)


def study(**changes):
    values = {
        "datasets": {
            "asl": {"source": "synthetic"},
            "bzs": {"source": "synthetic"},
            "both": {"source": "pool", "options": {"members": ["asl", "bzs"]}},
        },
        "runs": [{"methods": ["sl_fpn"], "datasets": ["both", "asl"]}],
    }
    return parse(StudyConfig, {**values, **changes}, "study")


def evaluated(config):
    return {
        e.run.dataset: (sorted(e.targets), e.members) for e in grid.evaluations(config).values()
    }


def test_a_run_on_a_pool_is_scored_on_its_members():
    assert check(study()) == 2
    assert evaluated(study()) == {"both": (["asl", "bzs"], ["asl", "bzs"]), "asl": (["asl"], [])}
    # A target whose test clips are training clips of a member is left out, and only there.
    dealt = {"asl": {}, "dealt": {"dataset": "asl", "split_by": "clips"}}
    config = study(evaluate={"targets": dealt})
    assert evaluated(config) == {"both": (["asl"], ["asl", "bzs"]), "asl": (["asl", "dealt"], [])}
    made = commands.data(study(), "both", Path("r"))
    assert [command[4] for command in made] == ["asl", "bzs", "both"]
    assert made[-1][made[-1].index("--raw") + 1] == "r/data"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"evaluate": {"targets": {"both": {}}}}, "'both' is a pool of training clips"),
        (
            {"evaluate": {"targets": {"d": {"dataset": "asl", "split_by": "clips"}}}},
            "every target's test clips",
        ),
    ],
)
def test_targets_that_a_pool_forbids(changes, words):
    with pytest.raises(UserError, match=words):
        check(study(**changes))


@pytest.mark.parametrize(
    ("member", "words"), [("gone", "'gone' is not defined"), ("both", "is a pool itself")]
)
def test_members_that_are_none(member, words):
    datasets = study().model_dump()["datasets"]
    datasets["more"] = {"source": "pool", "options": {"members": [member, "asl"]}}
    runs = [{"methods": ["sl_fpn"], "datasets": ["more"]}]
    with pytest.raises(UserError, match=words):
        check(study(datasets=datasets, runs=runs))


def test_from_a_pool_that_holds_the_targets_language_nothing_transfers():
    selector = {"method": "sl_fpn"}
    claim = {
        "id": "c",
        "statement": "",
        "source": "ours",
        "subject": selector,
        "against": [selector],
    }
    claims = parse(Claims, {"claims": [claim], "same_language": [["asl", "wlasl"]]}, "claims")
    known = claims.knowing({"both": ["asl", "bzs"]})
    transfers = {name: known.is_transfer(name, "both") for name in ("asl", "wlasl", "bzs", "gss")}
    assert transfers == {"asl": False, "wlasl": False, "bzs": False, "gss": True}
    assert known.is_transfer("bzs", "asl")
    assert claims.is_transfer("asl", "both")
