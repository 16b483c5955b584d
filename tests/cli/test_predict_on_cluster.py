"""`onebox predict --on`: what it refuses before it connects to a cluster."""

from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs onebox[ray]")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder with an image, and the working one."""
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").touch()
    return tmp_path


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    """No test here may connect to a cluster."""

    def connect(on):
        raise AssertionError(on)

    monkeypatch.setattr("onebox.distributed.cluster.connected", connect)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--on", "ray"], "--on needs a folder for the results. Name it with --parquet DIR."),
        (["--on", "ray", "--parquet", "out", "--json"], "--json is for one machine."),
        (["--on", "ray", "--csv", "a.csv"], "--csv is for one machine."),
        (["--on", "ray", "--draw", "drawn"], "--draw is for one machine."),
        (["--on", "ray", "--threads", "1"], "--threads is for one machine."),
        (["--on", "spark", "--parquet", "out"], "--on spark: must be ray"),
        (["--workers", "2", "--parquet", "out"], "--workers 2: is for clusters."),
        (["--parquet", "s3://bucket/out"], "one machine writes a file on its disk."),
        (["--on", "ray", "--parquet", "a.jpg"], "is a file. With --on, the results are a folder"),
        (["--on", "ray", "--parquet", "."], "holds other files, such as a.jpg."),
        (["--on", "ray", "--parquet", "out", "--coverage", "0.9"], "is not calibrated"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(run, bright_file, place, words, message):
    code, out, err = run("predict", bright_file, "a.jpg", *words)
    assert (code, out) == (2, "")
    assert message in err


def test_a_model_that_is_none_is_named(run, place):
    code, _, err = run("predict", "a.jpg", "a.jpg", "--on", "ray", "--parquet", "out")
    assert code == 4
    assert "a.jpg" in err


def test_videos_and_missing_images_end_the_command(run, bright_file, place):
    Path("empty").mkdir()
    for source, code, message in (
        ("clip.mp4", 2, "are read on one machine"),
        ("empty", 3, "empty: holds no image"),
        ("no/*.jpg", 3, "no/*.jpg: holds no image"),
    ):
        found = run("predict", bright_file, source, "--on", "ray", "--parquet", f"out-{code}")
        assert found[0] == code
        assert message in found[2]


def test_a_rerun_in_a_finished_folder_says_what_it_holds(run, bright_file, place, monkeypatch):
    from onebox.cli import predict_on_cluster as command
    from onebox.distributed.prediction import folder

    words = ["predict", bright_file, "a.jpg", "--on", "ray", "--parquet", "out"]
    monkeypatch.setattr(command, "_run", lambda *_: command.Tally())
    assert run(*words)[0] == 0
    folder.write_manifest(str(place / "out"), folder.read_job("out"), [])
    code, _, err = run(*words, "--continue")
    assert code == 0
    assert "--continue adds nothing" in err
    assert "is finished already: 0 images, 0 with errors." in err


def test_ctrl_c_says_how_to_go_on(run, bright_file, place, monkeypatch):
    from onebox.distributed.prediction.job import ClusterJob

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ClusterJob, "run", interrupt)
    code, _, err = run("predict", bright_file, "a.jpg", "--on", "ray", "--parquet", "out")
    assert code == 130
    assert "out has 0 of 1 parts. Run the same command again to go on." in err


def test_a_list_that_has_changed_is_another_job(run, bright_file, place, monkeypatch):
    from onebox.cli import predict_on_cluster as command

    words = ["predict", bright_file, "-", "--on", "ray", "--parquet", "out"]
    monkeypatch.setattr(command, "_run", lambda *_: command.Tally())
    for names, code in ((["a.jpg"], 0), (["a.jpg"], 0), (["a.jpg", "b.jpg"], 2)):
        monkeypatch.setattr(command, "read_list", lambda names=names: iter(names))
        found = run(*words)
        assert found[0] == code
    assert "the SHA-256 of the list on standard input" in found[2]
