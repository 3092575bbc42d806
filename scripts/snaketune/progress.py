"""What is seen and counted of a training run while it goes on: its seconds, its bar, its log."""

import logging
import time

from transformers import ProgressCallback

log = logging.getLogger(__name__)


class Clock:
    """Seconds of training, over all parts of an interrupted run."""

    def __init__(self, before: float):
        self.before = before
        self.started = time.monotonic()

    def start(self) -> None:
        self.started = time.monotonic()

    def __call__(self) -> float:
        return self.before + time.monotonic() - self.started


class Progress(ProgressCallback):
    """transformers' bar, with the loss at its end and in the log instead of lines between."""

    def on_step_end(self, args, state, control, **kwargs):
        """The last step is logged wherever it falls: no run is without a loss."""
        super().on_step_end(args, state, control, **kwargs)
        control.should_log |= state.global_step >= state.max_steps
        return control

    def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs):
        """No second bar for an evaluation of seconds."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        shown = {key: f"{logs[key]:.4f}" for key in ("loss", "eval_loss") if key in logs}
        if shown:
            text = ", ".join(f"{key} {value}" for key, value in shown.items())
            log.info("Step %d of %d: %s", state.global_step, state.max_steps, text)
        if self.training_bar is not None:
            self.training_bar.set_postfix(shown)
