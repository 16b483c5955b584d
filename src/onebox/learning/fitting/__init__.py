"""The training loop: schedules, freezing, checkpoints, callbacks."""
