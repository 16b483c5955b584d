"""Files and folders appear whole or not at all, even if the disk is full."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from onebox import disk, files
from onebox.errors import OneboxError

MIB = 2**20


def fill_up(self, content):
    """Do what `Path.write_bytes` does on a disk that fills up after one byte.

    Raises:
        OSError: Always.
    """
    with self.open("wb") as file:
        file.write(content[:1])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_replaced_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "p.csv"
    for content in (b"first, and longer", b"second"):
        files.write_atomically(path, content)
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_file_stays_a_link(tmp_path):
    (tmp_path / "file").write_bytes(b"first")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    files.write_atomically(tmp_path / "link", b"second")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"second"


def test_a_pipe_is_written_to_directly(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write_atomically(pipe, b"text")
        assert os.read(reader, 99) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_device_that_is_full_is_named_in_the_error():
    with pytest.raises(OneboxError, match=r"/dev/full: cannot be written \(No space left"):
        files.write_atomically(Path("/dev/full"), b"text")


def test_a_disk_that_fills_up_costs_the_new_file_and_not_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "p.csv"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(OneboxError) as caught:
        files.write_atomically(path, b"new")
    assert str(caught.value) == (
        f"{path}: cannot be written (No space left on device). Free space on the disk, change the "
        "permissions, or choose another folder."
    )
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_really_full_keeps_the_old_file_alone(small_disk):
    path = small_disk / "model.bin"
    files.write_atomically(path, b"old")
    with pytest.raises(OneboxError, match=r"model\.bin: cannot be written \(No space left"):
        files.write_atomically(path, bytes(2 * MIB))
    assert path.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [path]


def test_a_folder_that_does_not_fit_on_the_disk_leaves_nothing(small_disk):
    def write_images(folder):
        with files.replacing(folder) as temporary:
            temporary.mkdir()
            for number in range(9):
                (temporary / f"{number}.png").write_bytes(bytes(MIB // 4))

    with pytest.raises(OneboxError, match=r"images: cannot be written \(No space left"):
        write_images(small_disk / "images")
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_is_not_writable_and_keeps_no_probe(small_disk):
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(bytes(2 * MIB))
    with pytest.raises(OneboxError, match=r"small: cannot be written \(No space left"):
        files.check_writable(small_disk)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, OneboxError])
def test_any_error_of_the_body_is_passed_on_and_what_it_wrote_is_removed(tmp_path, error):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def write_half():
        with files.replacing(path) as temporary:
            temporary.write_bytes(b"half of the n")
            assert len(list(tmp_path.iterdir())) == 2
            raise error("stop")

    with pytest.raises(error, match="stop"):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def unfinished(path):
    """The temporary name that this process gives to a file."""
    with files.temporary_beside(path) as temporary:
        return temporary


def test_the_temporary_name_has_the_process_id(tmp_path):
    temporary = unfinished(tmp_path / "model.onnx")
    assert temporary.parent == tmp_path
    assert temporary.name.startswith(".model.onnx.")
    assert temporary.name.endswith(f"-{os.getpid()}.part")


def left_by(process, folder, name="model.onnx"):
    """What a process leaves that is killed while it writes a file: ``process`` is its id."""
    here = unfinished(folder / name)
    return here.with_name(here.name.replace(f"-{os.getpid()}.", f"-{process}."))


@pytest.fixture
def ended_process():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.skipif(sys.platform == "win32", reason="there, a process cannot be asked for")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_is_removed_when_a_folder_is_checked(
    tmp_path, ended_process, kind
):
    left = left_by(ended_process, tmp_path)
    if kind == "file":
        left.touch()
    else:
        (left / "images").mkdir(parents=True)
    files.check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_others_write_stays_when_a_folder_is_checked(tmp_path, ended_process):
    of_parent = left_by(os.getppid(), tmp_path)
    elsewhere = tmp_path / f".model.onnx.00000000-{ended_process}.part"
    of_the_user = tmp_path / ".notes.part"
    kept = {of_parent, elsewhere, of_the_user}
    for path in kept:
        path.touch()
    files.check_writable(tmp_path)
    assert {*tmp_path.iterdir()} == kept


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_under_the_same_id_is_no_obstacle(tmp_path, kind):
    left = unfinished(tmp_path / "data")
    if kind == "file":
        left.touch()
    else:
        (left / "images").mkdir(parents=True)
    with files.replacing(tmp_path / "data") as temporary:
        temporary.mkdir()
    assert [(path.name, path.is_dir()) for path in tmp_path.rglob("*")] == [("data", True)]


def test_a_body_that_writes_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(OneboxError, match=r"data: cannot be written \(No such file"),
        files.replacing(tmp_path / "data"),
    ):
        pass


@pytest.mark.parametrize("sync", [True, False])
def test_a_file_reaches_the_disk_before_its_name_unless_that_is_not_asked_for(
    tmp_path, monkeypatch, sync
):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.extend(tmp_path.iterdir()))
    with files.replacing(tmp_path / "data", sync=sync) as temporary:
        temporary.write_bytes(b"new")
    assert seen == ([temporary] if sync else [])


@pytest.mark.parametrize("name", ["checkpoint", "weights"])
def test_tensors_that_do_not_fit_on_the_disk_keep_the_earlier_file_alone(small_disk, name):
    torch = pytest.importorskip("torch")
    from onebox.learning.fitting.checkpoint_io import save_checkpoint, save_weights

    def save(floats):
        tensors = {"weight": torch.zeros(floats)}
        if name == "checkpoint":
            save_checkpoint(tensors, path)
        else:
            save_weights(tensors, path, {})

    path = small_disk / f"{name}.safetensors"
    save(1)
    before = path.read_bytes()
    with pytest.raises(OneboxError, match=f"{name}.safetensors: cannot be written .*No space left"):
        save(MIB)
    assert path.read_bytes() == before
    assert list(small_disk.iterdir()) == [path]


@pytest.mark.parametrize("name", ["missing/p.csv", "file/p.csv"])
def test_a_path_without_a_folder_is_named_in_the_error(name, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OneboxError, match=f"{name}: cannot be written"):
        files.write_atomically(tmp_path / name, b"text")


def test_a_folder_that_can_be_written_is_made_and_stays_empty(tmp_path):
    files.check_writable(tmp_path / "runs" / "1")
    assert list((tmp_path / "runs" / "1").iterdir()) == []


def test_a_folder_below_a_file_is_not_writable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OneboxError, match=r"file/run: cannot be written \(Not a directory\)"):
        files.check_writable(tmp_path / "file" / "run")


def test_a_disk_with_less_than_is_needed_and_kept_free_is_refused_with_the_repair(small_disk):
    # 3 MiB and a reserve of 64 MiB, on a disk of 1 MiB
    with pytest.raises(OneboxError, match="checkpoints need 67 MiB and 1 MiB are free") as caught:
        disk.check_space(small_disk, 3 * MIB, what="checkpoints", repair="train less")
    assert str(caught.value).endswith("Free some, or train less.")


@pytest.mark.parametrize("name", ["empty", "full", "missing", "no\0name"])
def test_only_a_file_of_no_bytes_is_empty(tmp_path, name):
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_bytes(b"1")
    assert files.is_empty(tmp_path / name) is (name == "empty")


@pytest.mark.parametrize("letter", ["a", "ä", "猫"])
def test_the_longest_names_are_written_too(letter, tmp_path):
    longest = 255 - 4  # bytes, as file systems have it
    path = tmp_path / f"{letter * (longest // len(letter.encode()))}.png"
    for content in (b"first", b"second"):
        files.write_atomically(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_of_a_long_name_is_known_as_abandoned(tmp_path):
    with files.temporary_beside(tmp_path / ("a" * 250)) as temporary:
        assert len(os.fsencode(temporary.name)) == 255
        assert files._UNFINISHED.search(temporary.name)


def test_the_real_path_of_a_link_to_itself_is_the_link(tmp_path):
    (tmp_path / "round").symlink_to("round")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    assert files.real_path(tmp_path / "round") == tmp_path.resolve() / "round"
    assert files.real_path(tmp_path / "link/../link") == (tmp_path / "folder").resolve()
