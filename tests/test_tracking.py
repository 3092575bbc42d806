"""Trackers: one value of the run config, and no training begins that could not report."""

import importlib.metadata
import importlib.util
import os
from types import SimpleNamespace

import pytest

from snaketune import tracking
from snaketune.config.run import Run
from snaketune.errors import UserError


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Every tracker as if it was installed, in a home without logins or variables."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: SimpleNamespace(name=name))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.7.20")
    monkeypatch.setenv("HOME", str(tmp_path))
    for tracker in tracking.TRACKERS.values():
        for variable in filter(None, (tracker.folder, tracker.project, tracker.key, tracker.mode)):
            monkeypatch.setenv(variable, "")  # so that it is taken away again at the end
            monkeypatch.delenv(variable)
    return monkeypatch


def test_without_a_tracker_nothing_is_asked(tmp_path):
    tracking.prepare("none", "weather", tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs swanlab<0\.8, which is not installed.*pip install"):
        tracking.prepare("swanlab", "weather", tmp_path)


def test_a_version_that_transformers_cannot_talk_to(installed, tmp_path):
    installed.setattr(importlib.metadata, "version", lambda name: "0.10.3")
    installed.setenv("SWANLAB_MODE", "offline")
    with pytest.raises(UserError, match=r"needs swanlab<0\.8, but 0\.10\.3 is installed"):
        tracking.prepare("swanlab", "weather", tmp_path)


@pytest.mark.parametrize("name", ["swanlab", "wandb"])
def test_a_tracker_that_would_ask_for_a_key(installed, tmp_path, name):
    tracker = tracking.TRACKERS[name]
    with pytest.raises(UserError, match=f"{tracker.key}.*{tracker.mode}="):
        tracking.prepare(name, "weather", tmp_path)
    installed.setenv(tracker.mode, "offline")
    tracking.prepare(name, "weather", tmp_path / "t")
    assert os.environ[tracker.folder] == str(tmp_path / "t")
    assert os.environ[tracker.project] == "weather"
    installed.delenv(tracker.mode)
    login = tmp_path / tracker.logins[0].removeprefix("~/")
    login.parent.mkdir(exist_ok=True)
    login.write_text("machine a login user password key\n", encoding="utf-8")
    tracking.prepare(name, "weather", tmp_path)


def test_what_the_environment_says_stays(installed, tmp_path):
    installed.setenv("TENSORBOARD_LOGGING_DIR", "elsewhere")
    tracking.prepare("tensorboard", "weather", tmp_path)
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == "elsewhere"


def test_the_run_config_knows_every_tracker():
    run = {"run": "r", "scale": "demo", "studies": ["weather"]}
    assert Run.model_validate(run).report_to == "none"
    for name in tracking.TRACKERS:
        assert Run.model_validate({**run, "report_to": name}).report_to == name
    with pytest.raises(ValueError, match="report_to"):
        Run.model_validate({**run, "report_to": "tensorbord"})


@pytest.mark.slow
def test_trackers_are_those_of_transformers():
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(tracking.TRACKERS) == set(INTEGRATION_TO_CALLBACK) - {"kubeflow"}


@pytest.mark.slow
def test_a_tracker_is_no_part_of_a_recipe(changed):
    changed.change("config/config.yaml", "report_to", value="tensorboard")
    assert changed.plan() == {}
