"""The search for near-duplicates against comparing every pair."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from core.dataset.near_pairs import SHARED, Vocabulary, near_pairs, near_sequences

pytestmark = pytest.mark.pure

_SEEDS = st.integers(0, 2**32)


def texts_like_each_other(seed: int, count: int) -> list[list[str]]:
    """Texts of up to 90 words in families of changed copies, so that many pairs are near the threshold."""
    rng = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(rng.choice([5, 40, 400]))]
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < 0.7:
            text = list(rng.choice(texts))
            for _ in range(rng.randint(0, 1 + len(text) // 5)):
                position = rng.randrange(len(text) + 1)
                text[position : position + rng.randint(0, 1)] = [rng.choice(vocabulary)][: rng.randint(0, 1)]
        else:
            text = [rng.choice(vocabulary) for _ in range(rng.randint(0, 90))]
        texts.append(text)
    return texts


@given(_SEEDS, st.integers(0, 25), st.sampled_from([0.5, 0.7, 0.85, 0.95, 1.0]))
def test_long_texts_lose_no_pair_and_gain_none(seed: int, count: int, threshold: float) -> None:
    texts = texts_like_each_other(seed, count)
    assert not texts or max(map(len, texts)) <= 4 * SHARED
    slow = {
        (i, j): pytest.approx(Indel.normalized_similarity(texts[i], texts[j]))
        for j in range(len(texts))
        for i in range(j)
        if texts[i]
        and texts[j]
        # With the cutoff, as core.qa.duplicates compares: at the threshold itself the last bit decides.
        and Indel.normalized_similarity(texts[i], texts[j], score_cutoff=threshold) >= threshold
    }
    assert {(i, j): similarity for i, j, similarity in near_pairs(texts, threshold)} == slow


@given(_SEEDS, st.integers(0, 25))
def test_only_texts_of_different_groups_are_compared(seed: int, count: int) -> None:
    texts = texts_like_each_other(seed, count)
    groups = [random.Random(seed + number).randrange(3) for number in range(count)]
    vocabulary = Vocabulary()
    across = {(i, j) for i, j, _ in near_sequences([vocabulary.encode(text) for text in texts], 0.7, groups)}
    assert across == {(i, j) for i, j, _ in near_pairs(texts, 0.7) if groups[i] != groups[j]}


def test_a_text_without_words_is_like_no_other() -> None:
    assert list(near_pairs([[], [], ["a"]], 0.5)) == []
    assert list(near_pairs([], 0.5)) == []
