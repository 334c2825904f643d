import random

import numpy as np
import pytest
import torch

from hybrid_assets.randomness import borrowed_random_state, drawn_seed, one_torch_thread


def draws():
    return random.random(), np.random.random(), torch.rand(1).item()


def test_borrowed_state_is_seeded_and_given_back_even_after_an_error():
    with borrowed_random_state(1):
        expected = draws()
    with borrowed_random_state(2):
        outside = draws()
    with borrowed_random_state(2):
        with borrowed_random_state(1):
            assert draws() == expected
        assert draws() == outside
    with borrowed_random_state(2):
        with pytest.raises(ZeroDivisionError), borrowed_random_state(1):
            1 / 0  # noqa: B018
        assert draws() == outside


def test_random_states_of_gpus_are_given_back(monkeypatch):
    given = [torch.tensor([1, 2], dtype=torch.uint8), torch.tensor([3, 4], dtype=torch.uint8)]
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: given)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", taken.append)
    with borrowed_random_state(1):
        assert taken == []
    assert taken == [given]


def test_one_thread_is_temporary():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_seed_follows_the_generator():
    rng = np.random.default_rng(1)
    seeds = [drawn_seed(rng) for _ in range(100)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert drawn_seed(np.random.default_rng(1)) == seeds[0]
