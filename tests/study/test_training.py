"""How students are trained: losses and targets, learning rates, mini-batches, each against its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

import hessorbit as ho
from hessorbit.study.settings import Settings
from hessorbit.study.student import train
from hessorbit.study.task import Samples, SampleTask, make_task, stream
from hessorbit.study.training import Trainer, Training

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [4], "samples": 40, "max_steps": 120, "loss_tolerance": 1e-2}
CLASSES = {**SMALL, "loss": "cross_entropy", "outputs": 3}


def trainer(seed: int = 0, **settings: Any) -> Trainer:
    study = ho.WidthStudy(**{**SMALL, **settings})
    task, net = make_task(study, seed), study.network(4)
    return Trainer(study, task, task.objective(net), net.init(stream(study, seed, 2, 4), "torch"), (seed, 4))


def trained(seed: int = 0, **settings: Any) -> Training:
    return trainer(seed, **settings).train()


def sample_task(seed: int = 0, **settings: Any) -> tuple[Settings, SampleTask]:
    study = ho.WidthStudy(**{**SMALL, **settings})
    task = make_task(study, seed)
    assert isinstance(task, SampleTask)
    return study, task


@pytest.mark.parametrize("scale", [1e-300, 1e200])
def test_targets_beyond_any_loss_are_refused_in_a_sentence(scale: float) -> None:
    """Squares of such outputs are 0 or infinite."""
    with pytest.raises(ArithmeticError, match=r"predicting the mean .* must be positive and finite"):
        trained(teacher_scale=scale)


def test_a_teacher_that_is_worse_than_the_mean_at_its_own_labels() -> None:
    """Its probabilities are not sharp: losses are relative to the mean's, and fall from above 0."""
    settings = {**CLASSES, "targets": "labels", "teacher_scale": 0.1}
    tasks = [sample_task(seed, **settings)[1] for seed in range(8)]
    task = next(each for each in tasks if each.floor > each.baseline)
    labels = task.seen.y
    shares = np.bincount(labels) / len(labels)
    assert task.unit == pytest.approx(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
    outputs = task.teacher(task.theta, task.seen.x)
    own = np.mean(special.logsumexp(outputs, axis=1) - outputs[np.arange(len(labels)), labels])
    assert task.relative(2.0) == pytest.approx((2.0 - own) / task.unit)
    assert task.relative(2.0) > 0


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam"])
def test_mini_batches_against_a_loop(optimizer: str) -> None:
    """Shuffled parts of all samples by the documented stream, and the rules of the optimizers written out."""
    found = trainer(optimizer=optimizer, batch_size=16, momentum=0.8, learning_rate=0.02, max_steps=7)
    training = found.train()
    task, rng = found.task, stream(found.settings, 0, 6, 4)
    assert isinstance(task, SampleTask)
    theta, v, s, taken = found.start.copy(), 0.0, 0.0, 0
    while taken < 7:
        order = rng.permutation(40)
        for rows in (order[:16], order[16:32], order[32:]):
            net = found.objective.net
            g = ho.Objective(net, task.seen.x[rows], task.seen.y[rows]).gradient(theta)
            taken += 1
            if optimizer == "adam":
                v, s = 0.9 * v + 0.1 * g, 0.999 * s + 0.001 * g**2
                theta = theta - 0.02 * (v / (1 - 0.9**taken)) / (np.sqrt(s / (1 - 0.999**taken)) + 1e-8)
            else:
                v = (0.8 if optimizer == "momentum" else 0.0) * v + g
                theta = theta - 0.02 * v
            if taken == 7:
                break
    assert training.steps == 7
    # Seven steps of size 0.02, each rounded to a few last bits.
    np.testing.assert_allclose(training.theta, theta, rtol=1e-12, atol=1e-14)
    assert training.recorded_steps.tolist() == [0, 3, 6, 7]
    assert training.loss == pytest.approx(found.objective.loss(theta), rel=1e-12)


def test_one_batch_of_all_samples_is_full_batch() -> None:
    """The sum over samples in another order."""
    full, one = (trained(optimizer="gd", learning_rate=0.05, batch_size=size) for size in ("full", 40))
    assert one.steps == full.steps
    np.testing.assert_allclose(one.theta, full.theta, rtol=1e-10, atol=1e-12)


def test_fresh_samples_where_there_are_infinitely_many() -> None:
    found = trainer(samples="infinite", batch_size=100, learning_rate=0.01, loss_tolerance=0.05, max_steps=2000)
    training = found.train()
    assert training.reached
    assert training.steps % 50 == 0
    assert training.loss == found.objective.loss(training.theta) <= 0.05 * found.task.unit
    assert trained(samples="infinite", batch_size=100, max_steps=60).steps == 60
    first, second = (next(found.task.batches(found.objective.net, 5, np.random.default_rng(k))) for k in (0, 1))
    assert isinstance(first, ho.Objective)
    assert isinstance(second, ho.Objective)
    assert not np.array_equal(first.x, second.x)


def test_a_share_of_two_over_the_largest_eigenvalue() -> None:
    found = trainer(optimizer="gd", learning_rate=0.3, learning_rate_rule="share")
    largest = np.linalg.eigvalsh(found.objective.hessian(found.start))[-1]
    assert found.train().learning_rate == pytest.approx(0.3 * 2 / largest, rel=1e-12)


@pytest.mark.parametrize("tolerance", [0.3, 1e-9])
def test_the_tuned_rate_is_better_than_its_neighbours(tolerance: float) -> None:
    """Where the tolerance is reached by steps, elsewhere by the loss; a rate at which training diverges is no good."""

    def fixed(k: int) -> Training:
        return trainer(optimizer="gd", learning_rate=0.05 * 2.0**k, loss_tolerance=tolerance).by(0.05 * 2.0**k)

    tuned = trained(optimizer="gd", learning_rate=0.05, learning_rate_rule="tuned", loss_tolerance=tolerance)
    k = round(np.log2(tuned.learning_rate / 0.05))
    assert tuned.learning_rate == 0.05 * 2.0**k
    assert tuned.reached == (tolerance == 0.3)
    below, best, above = (fixed(j) for j in (k - 1, k, k + 1))
    assert (tuned.steps, tuned.loss) == (best.steps, best.loss)
    for other in (below, above):
        assert (not other.reached, other.steps if other.reached else other.loss) >= (
            not best.reached,
            best.steps if best.reached else best.loss,
        )


def test_momentum_is_a_setting() -> None:
    found = trainer(optimizer="momentum", momentum=0.5, learning_rate=0.02, max_steps=20)
    options = {"learning_rate": 0.02, "max_steps": 20, "tol": 0.0}
    wanted = ho.minimize(found.objective, found.start, method="momentum", momentum=0.5, **options)
    assert np.array_equal(found.train().theta, wanted.x)


def softmax(outputs: np.ndarray) -> np.ndarray:
    return special.softmax(outputs, axis=1)


@pytest.mark.parametrize("targets", ["probabilities", "labels"])
def test_classes_of_a_teacher(targets: str) -> None:
    """Loss, its floor and its baseline by SciPy."""
    _, task = sample_task(**CLASSES, targets=targets)
    outputs = task.teacher(task.theta, task.seen.x)
    wanted = softmax(outputs) if targets == "probabilities" else np.eye(3)[outputs.argmax(axis=1)]
    mine = task.seen.y if targets == "probabilities" else np.eye(3)[task.seen.y]
    np.testing.assert_allclose(mine, wanted, rtol=1e-14)
    log = special.log_softmax(outputs, axis=1)
    assert task.floor == pytest.approx(-(wanted * log).sum(axis=1).mean(), rel=1e-13)
    assert task.baseline == pytest.approx(special.entr(wanted.mean(axis=0)).sum(), rel=1e-13)
    assert task.relative(task.objective(task.teacher).loss(task.theta)) == pytest.approx(0.0, abs=1e-14)
    assert task.held_out(task.teacher, task.theta) == 0.0


def test_probabilities_end_at_the_teacher_and_labels_at_infinity() -> None:
    options = {**CLASSES, "samples": 300, "teacher_scale": 1.0, "max_steps": 3000, "learning_rate": 0.05}
    student = train(ho.WidthStudy(**options), 2, 0)
    assert student.ending.kind == "teacher"
    assert student.objective.loss(student.ending.theta) == pytest.approx(student.task.floor, rel=1e-14)
    labels = train(ho.WidthStudy(**{**options, "targets": "labels", "max_steps": 50}), 2, 0)
    assert not labels.ending.is_minimum
    with pytest.raises(ValueError, match="labels have no minimum where the student is its teacher"):
        _ = labels.best


def test_noise() -> None:
    """Its size, to a few standard errors of 4000 samples; what is held out has none."""
    _, clean = sample_task(samples=4000)
    _, noisy = sample_task(samples=4000, label_noise=0.3)
    difference = (noisy.seen.y - clean.seen.y) / clean.seen.y.std()
    assert difference.std() == pytest.approx(0.3, rel=0.05)
    assert np.array_equal(noisy.unseen.y, clean.unseen.y)
    assert noisy.floor == pytest.approx(np.square(noisy.seen.y - clean.seen.y).mean() / 2, rel=1e-12)
    _, labels = sample_task(**{**CLASSES, "samples": 4000, "targets": "labels"})
    _, flipped = sample_task(**{**CLASSES, "samples": 4000, "targets": "labels", "label_noise": 0.3})
    # A third of those drawn anew stay what they were.
    assert (flipped.seen.y != labels.seen.y).mean() == pytest.approx(0.2, abs=0.03)


def test_decay_is_part_of_the_loss() -> None:
    student = train(ho.WidthStudy(**SMALL, l2=0.1), 4, 0)
    assert student.ending.kind == "minimum"
    theta, task = student.ending.theta, student.task
    assert isinstance(task, SampleTask)
    plain = ho.Objective(student.objective.net, task.seen.x, task.seen.y).gradient(theta)
    # At the minimum both cancel, to the rounding of sums of 40 terms of order one.
    np.testing.assert_allclose(plain, -0.1 * theta, atol=1e-12)


def test_students_may_be_deep() -> None:
    study = ho.WidthStudy(**SMALL, depth=3)
    student = train(study, 4, 0)
    assert student.objective.net.widths == (2, 4, 4, 4, 1)
    assert study.teacher_network().widths == (2, 2, 1)
    assert len(student.incoming) == 12 + 20 + 20
    with pytest.raises(ValueError, match="students of 3 hidden layers are no widenings of a teacher of one"):
        _ = student.nearest


def test_baseline_of_numbers_and_of_classes() -> None:
    y = np.random.default_rng(0).standard_normal((30, 2))
    assert Samples(y, y, "squared_error").baseline(2) == pytest.approx(y.var(axis=0).sum() / 2, rel=1e-14)
    labels = np.array([0, 0, 1, 3])
    wanted = -(0.5 * np.log(0.5) + 0.5 * np.log(0.25))
    assert Samples(y, labels, "cross_entropy").baseline(4) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "cross_entropy"}, "outputs must be at least 2.*got 1"),
        ({**CLASSES, "label_noise": 0.1}, "label_noise must be a share of labels.*got 0.1"),
        ({**CLASSES, "targets": "labels", "label_noise": 1.5}, "label_noise must be a share of labels.*got 1.5"),
        ({**CLASSES, "polish": "lm"}, "polish must be 'newton', 'auto' or 'none'"),
        ({"loss": "cross_entropy", "outputs": 2, "samples": "infinite"}, "samples must be a number with loss"),
        ({"depth": 2, "samples": "infinite"}, "samples must be a number with depth = 2; got 'infinite'"),
        ({"label_noise": 0.1, "samples": "infinite"}, "samples must be a number with label_noise = 0.1"),
        ({"learning_rate_rule": "share"}, "learning_rate_rule must be 'fixed' or 'tuned' with optimizer = 'adam'"),
        ({"batch_size": 41, "samples": 40}, "batch_size must be at most samples = 40, or 'full'; got 41"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": "half"}, "batch_size must be a number of samples or \"full\"; got 'half'"),
        ({"momentum": 1.0}, "momentum"),
        ({"l2": -1.0}, "l2 must be"),
        ({"depth": 0}, "depth must be at least 1"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ho.WidthStudy(**settings)


def test_divergence_raises() -> None:
    for size in ("full", 10):
        with pytest.raises(ArithmeticError, match=r"training diverged at step .*; take a smaller learning rate"):
            trained(optimizer="gd", learning_rate=1e6, activation="square", batch_size=size)
