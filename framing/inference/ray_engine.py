"""The same parts and the same code as the local engine, spread over processes by Ray Data.

One task reads the input part by part; a pool of workers, each with the bundle open, labels them;
this process writes what comes back. Nodes of a cluster must find the bundle and the input under
the paths given here, and need this package installed.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from framing.errors import DataError, DependencyError, FramingError, OutputError
from framing.inference.bundle import load_bundle
from framing.inference.job import Outcome, Plan
from framing.inference.labeller import Labeller
from framing.inference.parts import InputPart, label_part

#: A row of a Ray dataset, as the batch of one row that Ray Data passes around.
Batch = dict[str, list[Any]]


class RayEngine:
    """Labels parts with Ray Data.

    Args:
        bundle: Folder of the bundle.
        address: Of a cluster; None to start Ray on this machine.
        workers: Processes that label.
        recall: Of the screen; None without one.
    """

    def __init__(
        self, bundle: Path, address: str | None, workers: int, recall: float | None = None
    ) -> None:
        self.bundle = bundle.resolve()
        self.address = address
        self.workers = workers
        self.recall = recall

    def run(self, plan: Plan, done: frozenset[int]) -> Generator[Outcome, None, None]:
        """Label the parts that are not among those `done`.

        Raises:
            DependencyError: Ray is not installed.
            DataError: The input cannot be read.
            OutputError: Ray gave up, because a process of it died for instance.
        """
        ray = _started(self.address, self.workers)
        try:
            for row in self._dataset(ray, plan, done).iter_rows():
                if row["error"]:
                    raise DataError(row["error"])
                yield _outcome(row)
        except ray.exceptions.RayError as error:
            raise OutputError(
                f"the work stopped in Ray: {_reason(error)}; mend this, then run the same "
                "command again: it continues"
            ) from error
        finally:
            ray.shutdown()

    def _dataset(self, ray: Any, plan: Plan, done: frozenset[int]) -> Any:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        # One part a block: otherwise Ray would collect parts for one worker.
        context.target_max_block_size = 1
        read = functools.partial(_read, plan=plan, done=done, folder=Path.cwd())
        # Another share of a core than the workers', or Ray would run both in one process.
        start = ray.data.from_items([{"start": 0}]).map_batches(read, batch_size=1, num_cpus=0.5)
        return start.map_batches(
            _Worker,
            batch_size=1,
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=self.workers),
            fn_constructor_args=(str(self.bundle), self.recall),
        )


def _reason(error: Exception) -> str:
    """The last line of an error, which says most; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _started(address: str | None, workers: int) -> Any:
    # Ray reports its use over the network unless told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ModuleNotFoundError:
        raise DependencyError(
            "--engine ray needs Ray; install the extra: pip install 'framing[scale]'"
        ) from None
    # Errors reach the user as exceptions.
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        # The workers' cores, and one for the task that reads.
        options |= {"num_cpus": workers + 1, "include_dashboard": False}
    try:
        ray.init(address or "local", **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if address is None:
            raise DependencyError(f"Ray cannot be started here: {error}") from None
        raise DependencyError(
            f"Ray cannot be reached at {address}: {error}; compare the address with what "
            "'ray start' printed, and set RAY_AUTH_MODE=token if the cluster asks for a token"
        ) from None
    return ray


def _outcome(row: Mapping[str, Any]) -> Outcome:
    return Outcome(
        number=int(row["number"]),
        digest=row["digest"],
        sentences=int(row["sentences"]),
        position=int(row["position"]),
        text=row["text"] or None,
    )


def _read(_: Batch, plan: Plan, done: frozenset[int], folder: Path) -> Iterator[Batch]:
    """Read the plan's input; a part that is done passes without its content."""
    if folder.is_dir():
        # Where paths that are not absolute begin.
        os.chdir(folder)
    try:
        for part in plan.parts():
            yield {
                "number": [part.number],
                "digest": [part.digest],
                "sentences": [len(part.sentences)],
                "position": [part.position],
                "content": ["" if part.number in done else part.content],
                "error": [""],
            }
    except FramingError as error:
        nothing: Batch = {"number": [0], "digest": [""], "sentences": [0], "position": [0]}
        yield {**nothing, "content": [""], "error": [str(error)]}


class _Worker:
    """Labels parts; Ray keeps it, with the bundle open, from part to part."""

    def __init__(self, bundle: str, recall: float | None) -> None:
        self.labeller = Labeller(load_bundle(bundle), recall=recall)

    def __call__(self, batch: Mapping[str, Any]) -> Batch:
        texts = [
            label_part(self.labeller, InputPart.from_content(content)) if content else ""
            for content in batch["content"]
        ]
        others = {name: list(values) for name, values in batch.items() if name != "content"}
        return others | {"text": texts}
