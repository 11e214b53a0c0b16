"""The width study written with jax, beside hessorbit's own.

As whoever has no hessorbit would write it: one jitted `while_loop` of Adam steps for each student, a jitted gradient
inside, `jax.hessian` where training ends, and NumPy for the spectrum. The same teachers, data, initial parameters and
stopping rule. Both measure what jax and NumPy can: what needs symmetries or the nearest minimum is left out.

Two processes on each side, with one thread each; a process takes one seed and all widths. Both sides are warmed up,
jax's functions compiled; a side's time is that of its slower process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

import numpy as np

SEEDS = (0, 1)
WIDTHS = (5, 10, 20, 40, 80)
MAX_STEPS = 20_000
CASE = f"finite samples, {len(WIDTHS)} widths, {len(SEEDS)} seeds"

Cell = Callable[[int, int, int], int]  # width, seed, max_steps → steps taken


def settings(max_steps: int) -> Any:
    """The preset of finite samples, without what follows training."""
    from hessorbit.study import WidthStudy

    return WidthStudy.preset("finite-samples", polish="none", max_steps=max_steps)


def our_cell(width: int, seed: int, max_steps: int) -> int:
    from hessorbit.study.student import train

    study = settings(max_steps)
    student = train(study, width, seed)
    spectrum, diagonal = student.trained.spectrum, student.trained.diagonal
    rank = student.task.teacher.num_parameters
    _ = {
        "gradient_norm": student.training.gradient_norm,
        "trace": diagonal.sum(),
        "trace_incoming": diagonal[student.incoming].sum(),
        "trace_outgoing": np.delete(diagonal, student.incoming).sum(),
        "lambda_max": spectrum.max,
        "condition_rank": spectrum.condition_number(rank=rank) if rank <= len(diagonal) else np.nan,
        "condition_threshold": spectrum.condition_number(threshold=study.threshold),
        "condition_raw": spectrum.condition_number("raw"),
        "num_negative": spectrum.num_negative,
        "zero_modes_measured": spectrum.zero_modes.measured,
        "participation_ratio": spectrum.participation_ratio[-study.leading :].mean(),
    }
    return int(student.training.steps)


def jax_cell() -> Cell:
    import jax
    import jax.numpy as jnp

    from hessorbit.study.task import make_task, stream

    jax.config.update("jax_enable_x64", True)

    def loss(theta: Any, x: Any, y: Any) -> Any:
        inputs, outputs = x.shape[1], y.shape[1]
        width = (len(theta) - outputs) // (inputs + 1 + outputs)
        sizes = np.cumsum([width * inputs, width, outputs * width])
        w1, b1, w2, b2 = jnp.split(theta, sizes)
        hidden = jax.nn.gelu(x @ w1.reshape(width, inputs).T + b1, approximate=False)
        return ((hidden @ w2.reshape(outputs, width).T + b2 - y) ** 2).sum() / (2 * len(x))

    value_and_gradient = jax.value_and_grad(loss)

    @jax.jit
    def train(theta: Any, x: Any, y: Any, rate: Any, tolerance: Any, max_steps: Any) -> Any:
        def step(state: Any) -> Any:
            count, theta, first, second, _, g = state
            count = count + 1
            first = 0.9 * first + 0.1 * g
            second = 0.999 * second + 0.001 * g * g
            change = first / (1 - 0.9**count) / (jnp.sqrt(second / (1 - 0.999**count)) + 1e-8)
            theta = theta - rate * change
            return count, theta, first, second, *value_and_gradient(theta, x, y)

        zeros = jnp.zeros_like(theta)
        start = 0, theta, zeros, zeros, *value_and_gradient(theta, x, y)
        return jax.lax.while_loop(lambda state: (state[4] > tolerance) & (state[0] < max_steps), step, start)

    hessian = jax.jit(jax.hessian(loss))

    def cell(width: int, seed: int, max_steps: int) -> int:
        study = settings(max_steps)
        task: Any = make_task(study, seed)
        start = study.network(width).init(stream(study, seed, 2, width), study.init)
        x, y = jnp.asarray(task.seen.x), jnp.asarray(task.seen.y)
        count, theta, _, _, _, gradient = train(
            jnp.asarray(start), x, y, study.learning_rate, study.loss_tolerance * task.baseline, max_steps
        )
        measure(np.asarray(hessian(theta, x, y)), np.asarray(gradient), width * (study.inputs + 1), study, task)
        return int(count)

    return cell


def measure(hessian: np.ndarray, gradient: np.ndarray, incoming: int, study: Any, task: Any) -> dict[str, float]:
    """What `our_cell` measures; incoming weights and biases come first in θ."""
    eigenvalues, vectors = np.linalg.eigh(hessian)
    magnitudes = np.sort(np.abs(eigenvalues))[::-1]
    floor = len(hessian) * np.finfo(float).eps * magnitudes[0]
    squares = vectors[:, -study.leading :] ** 2
    rank = task.teacher.num_parameters
    return {
        "gradient_norm": np.abs(gradient).max(),
        "trace": eigenvalues.sum(),
        "trace_incoming": np.trace(hessian[:incoming, :incoming]),
        "trace_outgoing": np.trace(hessian[incoming:, incoming:]),
        "lambda_max": eigenvalues[-1],
        "condition_rank": magnitudes[0] / magnitudes[rank - 1] if rank <= len(magnitudes) else np.nan,
        "condition_threshold": magnitudes[0] / magnitudes[magnitudes > study.threshold * magnitudes[0]][-1],
        "condition_raw": magnitudes[0] / magnitudes[-1],
        "num_negative": int((eigenvalues < -floor).sum()),
        "zero_modes_measured": int((magnitudes <= floor).sum()),
        "participation_ratio": float((squares.sum(axis=0) ** 2 / (squares**2).sum(axis=0)).mean()),
    }


def work(side: str, seed: int, ready: Any, results: Any) -> None:
    """One process: all widths of a seed, after a warm-up of two steps each."""
    try:
        cell = our_cell if side == "ours" else jax_cell()
        for width in WIDTHS:
            cell(width, seed, 2)
        ready.wait()
        start = time.perf_counter()
        steps = sum(cell(width, seed, MAX_STEPS) for width in WIDTHS)
        results.put((time.perf_counter() - start, steps))
    except Exception as error:  # nobody waits for this process
        ready.abort()
        results.put(f"{type(error).__name__}: {error}")


def run(side: str) -> tuple[float, int]:
    """Seconds of the slower process, and steps of all students."""
    context = get_context("spawn")
    ready, results = context.Barrier(len(SEEDS)), context.Queue()
    processes = [context.Process(target=work, args=(side, seed, ready, results)) for seed in SEEDS]
    for process in processes:
        process.start()
    found = [results.get(timeout=900) for _ in processes]
    for process in processes:
        process.join()
    for answer in found:
        if isinstance(answer, str):
            raise RuntimeError(answer)
    return max(seconds for seconds, _ in found), sum(steps for _, steps in found)


def contest_of_studies() -> tuple[float, float, str]:
    """Our seconds, jax's, and how many steps of Adam each took."""
    single = {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    }
    before = {name: os.environ.get(name) for name in single}
    os.environ.update(single)
    try:
        (ours, our_steps), (theirs, their_steps) = run("ours"), run("jax")
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return ours, theirs, f"{our_steps:,} steps against {their_steps:,}"
