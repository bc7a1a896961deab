"""MoCo: the loss against its formula, the queue, and the key network that follows."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from sslslr.methods.moco import info_nce
from tiny_methods import build, step, unlike_views


def test_loss_is_the_formula():
    draws = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 3, 4, dtype=torch.double, generator=draws)
    queue = F.normalize(torch.randn(5, 4, dtype=torch.double, generator=draws), dim=1)
    total = 0.0
    for q, k in zip(query, key, strict=True):
        q, k = q / q.norm(), k / k.norm()
        positive = math.exp((q @ k).item() / 0.2)
        negatives = sum(math.exp((q @ old).item() / 0.2) for old in queue)
        total -= math.log(positive / (positive + negatives))
    found = info_nce(query, key, queue, torch.ones(5, dtype=torch.bool), 0.2)
    assert found.item() == pytest.approx(total / 3)
    # Places that are not filled count for nothing, whatever they hold.
    longer = torch.cat([queue, 9 * torch.ones(2, 4, dtype=torch.double)])
    found = info_nce(query, key, longer, torch.arange(7) < 5, 0.2)
    assert found.item() == pytest.approx(total / 3)


def test_equal_keys_cost_the_log_of_the_number_of_candidates():
    same = F.normalize(torch.ones(6, 4), dim=1)
    for filled in (0, 2, 6):
        found = info_nce(same[:2], same[:2], same, torch.arange(6) < filled, 0.2).item()
        assert found == pytest.approx(math.log(1 + filled), rel=1e-6)


def test_the_oldest_keys_are_replaced_and_places_wrap_around():
    method = build("moco", queue=5, projection=2)
    start = method.queue.clone()
    keys = torch.arange(18.0).view(9, 2)
    method.enqueue(keys[:3])
    assert torch.equal(method.queue, torch.cat([keys[:3], start[3:]]))
    method.enqueue(keys[3:7])  # 3, 4, then 0, 1
    assert torch.equal(method.queue, torch.stack([keys[i] for i in (5, 6, 2, 3, 4)]))
    method.enqueue(keys)  # more than the queue holds: the newest five, from place 2
    assert torch.equal(method.queue, torch.stack([keys[i] for i in (7, 8, 4, 5, 6)]))
    assert method.enqueued == 3 + 4 + 5


def test_the_queue_is_filled_in_training_alone_with_keys_of_unit_length():
    method = build("moco")
    before = method.queue.clone()
    step(method.eval())
    assert torch.equal(method.queue, before)
    step(method.train())
    assert not torch.equal(method.queue[:8], before[:8])
    assert torch.equal(method.queue[8:], before[8:])
    torch.testing.assert_close(method.queue[:8].norm(dim=1), torch.ones(8))
    assert not method.queue.requires_grad


def test_queue_and_key_network_are_in_the_checkpoint():
    method, other = build("moco"), build("moco", momentum=0.5)
    assert step(method).loss == 0  # nothing to tell it from yet
    other.load_state_dict(copy.deepcopy(method.state_dict()))
    assert torch.equal(other.queue, method.queue)
    assert other.enqueued == 8
    loss = step(other).loss
    assert loss > 0
    assert torch.equal(loss, step(method).loss)


def test_keys_come_from_the_slow_copy_and_it_follows_by_the_momentum():
    method = build("moco", momentum=0.9)
    before = method.key_encoder.embed.weight.clone()
    with torch.no_grad():
        method.encoder.embed.weight += 1.0
    key_side = [p.clone() for p in method.key_projector.parameters()]
    method.after_step(0.3)
    torch.testing.assert_close(method.key_encoder.embed.weight, before + 0.1)
    torch.testing.assert_close(list(method.key_projector.parameters()), key_side)


def test_forward_asks_one_view_for_the_slow_key_of_the_other():
    method, (clip, a, b) = build("moco", temperature=0.3), unlike_views()
    with torch.no_grad():  # so that query and key network differ, in the encoder and behind it
        method.key_encoder.embed.weight.add_(0.1)
        method.key_projector[-1].weight.add_(0.1)
    step(method)  # fills the queue
    queue, filled = method.queue.clone(), torch.arange(len(method.queue)) < 8
    found = method(clip, a, b, torch.Generator()).loss.item()
    query = method.projector(method.encoder(a.keypoints, a.lengths))
    key = method.key_projector(method.key_encoder(b.keypoints, b.lengths))
    assert found == pytest.approx(info_nce(query, key, queue, filled, 0.3).item(), rel=1e-4)
    torch.testing.assert_close(method.queue[8:16], F.normalize(key, dim=1))


def test_a_queue_that_is_as_long_as_the_data_is_refused_by_the_check_of_a_study():
    from sslslr.config.settings import parse
    from sslslr.config.study import StudyConfig
    from sslslr.utils.errors import UserError
    from sslslr.workflow.check import check

    study = {
        "datasets": {"signs": {"source": "synthetic", "options": {"clips": 400}}},
        "methods": {"moco": {"queue": 400}},
        "runs": [{"methods": ["moco"], "datasets": ["signs"]}],
    }
    with pytest.raises(
        UserError, match=r"methods.moco: on 'signs' the queue holds 400 keys.*400 clips"
    ):
        check(parse(StudyConfig, study, "test"))
    study["methods"]["moco"]["queue"] = 399
    assert check(parse(StudyConfig, study, "test")) == 1
