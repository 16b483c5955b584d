"""Class labels: the probability that each is right, and the estimated error rate."""

import numpy as np
import pytest

from onebox.audit.class_scores import score_classes


def drawn(count, *, error_rate, temperature=1.0, seed=0, classes=3):
    """Labels that follow the probabilities, some wrong, and probabilities at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (count, classes))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    is_wrong = rng.random(count) < error_rate
    labels[is_wrong] = (labels[is_wrong] + rng.integers(1, classes, is_wrong.sum())) % classes
    said = np.exp(logits / temperature)
    return labels, said / said.sum(axis=1, keepdims=True), is_wrong


def test_bayes_rule_by_hand():
    probabilities = np.full((100, 2), [0.8, 0.2])
    given = np.repeat([0, 1], [80, 20])
    scores = score_classes(given, probabilities)
    rate, probability = scores.error_rate, scores.probabilities[0, 0]
    # A label is 0 where it is right and the class is 0, or wrong and the class is 1.
    right, wrong = (1 - rate) * probability, rate * (1 - probability)
    assert right + wrong == pytest.approx(0.8, abs=0.01)
    assert scores.wrong[0] == pytest.approx(wrong / (right + wrong))


@pytest.mark.parametrize("error_rate", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_error_rate_is_estimated_whatever_the_temperature(error_rate, temperature):
    given, probabilities, _ = drawn(3000, error_rate=error_rate, temperature=temperature)
    assert score_classes(given, probabilities).error_rate == pytest.approx(error_rate, abs=0.031)


@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_the_stated_rate_is_the_share_of_right_labels_in_the_list(rate):
    right = []
    for seed in range(5):
        given, probabilities, is_wrong = drawn(4000, error_rate=0.1, seed=seed)
        listed = score_classes(given, probabilities).q_values <= rate
        right += (~is_wrong[listed]).tolist()
    # of some 700 and 1000 listed labels: the standard error is .012
    assert np.mean(right) == pytest.approx(rate, abs=0.03)


def test_a_label_against_the_networks_is_more_suspicious_than_one_with_them():
    given, probabilities, _ = drawn(200, error_rate=0.05)
    scores = score_classes(given, probabilities)
    order = np.argsort(probabilities[np.arange(200), given])
    assert scores.wrong.argmax() == order[0]
    assert scores.wrong.argmin() == order[-1]


def test_a_probability_of_zero_is_no_error():
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    scores = score_classes(np.array([0, 1, 0, 0]), probabilities)
    assert np.isfinite(scores.wrong).all()
    assert scores.wrong.argmax() == 3
