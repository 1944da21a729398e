"""Writes logs with the loggers' own libraries: `python writers.py FORMAT FOLDER`.

A process of its own, since these libraries warn, start servers and keep global state. The numbers
are those of `truth`, so that a test knows what a reader has to find.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

STEPS = (0, 50, 100, 150, 200)
RUNS = ("r0.25", "r0.5")
SEQUENCE, BATCH = 512, 32


def truth(run: str, step: int, name: str) -> float:
    """Loss of a run in full double precision."""
    ratio = float(run[1:])
    if name == "general":
        return 2.9 + ratio * 0.1 * (step / 200) ** 0.3 / 3
    return 3.3 - ratio * 0.5 * (step / 200) ** 0.4 / 3


def trainer_state(folder: Path) -> None:
    from transformers import TrainerState

    for run in RUNS:
        state = TrainerState(max_steps=200, logging_steps=10)
        for step in STEPS:
            state.global_step, state.num_input_tokens_seen = step, step * SEQUENCE * BATCH
            if step:
                state.log_history.append(
                    {"loss": truth(run, step, "domain") + 0.1, "learning_rate": 1e-4, "step": step}
                )
            for name in ("general", "domain"):
                record = {f"eval_{name}_loss": truth(run, step, name), "eval_runtime": 1.5}
                state.log_history.append({**record, "epoch": step / 200, "step": step})
            where = folder / run / f"checkpoint-{step}"
            where.mkdir(parents=True)
            state.save_to_json(str(where / "trainer_state.json"))


def tensorboard(folder: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    for run in RUNS:
        writer = EventFileWriter(str(folder / run))
        for step in STEPS:
            general = Summary.Value(
                tag="eval/general_loss", simple_value=truth(run, step, "general")
            )
            # The second form of a scalar, which TensorFlow 2 writes.
            tensor = make_tensor_proto(truth(run, step, "domain"), dtype="float32")
            domain = Summary.Value(tag="eval/domain_loss", tensor=tensor)
            text = Summary.Value(tag="note", tensor=make_tensor_proto([b"words"], dtype="string"))
            for value in (general, domain, text):
                summary = Summary(value=[value])
                writer.add_event(Event(wall_time=1e9 + step, step=step, summary=summary))
        writer.close()


def wandb(folder: Path) -> None:
    os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=str(folder))
    import wandb

    for run in RUNS:
        logger = wandb.init(project="cpt", name=run, id=run.replace(".", ""), config={"lr": 1e-4})
        for step in STEPS:
            names = ("general", "domain")
            losses = {f"{name}_loss": truth(run, step, name) for name in names}
            logger.log({"eval": losses, "note": "words", "odd": float("nan")}, step=step)
        # Longer than a block of 32 KiB: the record is written in pieces.
        logger.log({"long": "x" * 100_000}, step=300)
        logger.log({"eval": {"last": 1.25}}, step=301)
        logger.finish()


def mlflow(folder: Path) -> None:
    """The same runs twice: in a folder and in a database."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_ALLOW_FILE_STORE="true")
    import mlflow

    for uri in ((folder / "mlruns").as_uri(), f"sqlite:///{folder / 'mlflow.db'}"):
        mlflow.set_tracking_uri(uri)
        mlflow.set_experiment("cpt")
        for run in RUNS:
            with mlflow.start_run(run_name=run):
                mlflow.log_param("lr", 1e-4)
                for step in STEPS:
                    for name in ("general", "domain"):
                        mlflow.log_metric(f"eval/{name}_loss", truth(run, step, name), step=step)
                mlflow.log_metric("odd", float("nan"), step=1)
                mlflow.log_metric("odd", float("-inf"), step=2)
                for value in (3.5, 3.25):
                    mlflow.log_metric("stepless", value)
        with mlflow.start_run(run_name="gone") as gone:
            mlflow.log_metric("eval/general_loss", 9.0, step=0)
        mlflow.delete_run(gone.info.run_id)


def lightning(folder: Path) -> None:
    from pytorch_lightning.loggers import CSVLogger

    for run in RUNS:
        logger = CSVLogger(str(folder), name=run)
        for step in STEPS:
            logger.log_metrics({"train_loss": truth(run, step, "domain") + 0.1}, step=step)
            names = ("general", "domain")
            logger.log_metrics({f"val_{n}_loss": truth(run, step, n) for n in names}, step=step)
        logger.save()


def trackio(folder: Path) -> None:
    """By the class that `trackio.log` ends in; the server before it is left out."""
    os.environ["TRACKIO_DIR"] = str(folder)
    _aside()
    from trackio.sqlite_storage import SQLiteStorage

    for run in RUNS:
        losses = [{n: truth(run, step, n) for n in ("general", "domain")} for step in STEPS]
        SQLiteStorage.bulk_log(
            project="cpt",
            run=run,
            metrics_list=[
                {"eval": {f"{n}_loss": x for n, x in at.items()}, "note": "words"} for at in losses
            ],
            steps=list(STEPS),
            config={"lr": 1e-4},
        )


def lm_eval(folder: Path) -> None:
    """A real evaluation, of a model whose log likelihood per word is known; no network."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    _aside()
    from datasets import Dataset
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    class Known(LM):
        def __init__(self, loss: float) -> None:
            super().__init__()
            self.loss = loss

        def loglikelihood(self, requests: list) -> list:
            # LM asks for all three; the task written here is one of rolling likelihood.
            raise AssertionError("only rolling likelihoods are asked for")

        generate_until = loglikelihood

        def loglikelihood_rolling(self, requests: list) -> list[float]:
            return [-self.loss * len(request.args[0].split()) for request in requests]

    def texts(**_: object) -> dict[str, Dataset]:
        return {"test": Dataset.from_dict({"text": ["one two three four", "five six seven"]})}

    task = {
        "task": "texts",
        "custom_dataset": texts,
        "test_split": "test",
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{text}}",
        "metric_list": [{"metric": name} for name in ("word_perplexity", "bits_per_byte")],
        "metadata": {"version": 1.0},
    }
    for run in RUNS:
        tracker = EvaluationTracker(output_path=str(folder / run))
        results = simple_evaluate(
            model=Known(truth(run, STEPS[-1], "general")),
            tasks=[task],
            task_manager=TaskManager(include_defaults=False),
            bootstrap_iters=0,
            evaluation_tracker=tracker,
        )
        tracker.save_results_aggregated(results=results)


#: Where `make test` puts the packages of loggers.txt.
ASIDE = Path(sys.prefix) / "loggers"


def _aside() -> None:
    """Look for what is not in the environment in a folder of its own, last."""
    sys.path.append(str(ASIDE))


def torch(folder: Path) -> None:
    """Two formats, since importing torch costs more than all else."""
    trainer_state(folder / "trainer_state")
    lightning(folder / "lightning")


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))
