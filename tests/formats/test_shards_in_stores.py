"""Data sets in object stores: a server of S3 and a store in memory stand in."""

import dataclasses
import logging

import pytest
from PIL import Image

import onebox
from onebox import stores
from onebox.errors import DataError, SettingError
from onebox.formats import read, write
from onebox.structures import SPLITS, Dataset, Sample

pytestmark = pytest.mark.train

SIZE = (8, 8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    made = []
    for number in range(8):
        Image.new("RGB", SIZE, (number * 9, 0, 0)).save(folder / f"{number}.png")
        box = (1.0, 2.0, 3.0 + number / 2, 4.0)
        made.append(Sample(folder / f"{number}.png", "disc", box, SPLITS[number % 4], size_wh=SIZE))
    return Dataset(tuple(made), ("disc",))


@pytest.fixture(scope="module")
def s3_server():
    """A server of S3 on this machine with one bucket, and its address."""
    fs = pytest.importorskip("pyarrow.fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    address = f"{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        made = fs.S3FileSystem(endpoint_override=address, scheme="http", allow_bucket_creation=True)
        made.create_dir("bucket")
        yield address
    stores._connect.cache_clear()
    server.stop()


@pytest.fixture(params=["query", "environment", "memory"])
def place(request, monkeypatch):
    """The URI of an empty folder: ``place("name")``."""
    if request.param == "memory":
        pytest.importorskip("fsspec")
        return lambda name: f"memory://bucket/memory/{name}"
    address = request.getfixturevalue("s3_server")
    if request.param == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
        return lambda name: f"s3://bucket/environment/{name}"
    query = f"?endpoint_override={address}&scheme=http"
    return lambda name: f"s3://bucket/query/{name}{query}"


def facts(data):
    return sorted((one.file_name, one.label, one.box, one.split) for one in data)


@pytest.mark.parametrize("name", ["parquet", "webdataset"])
def test_written_shards_are_found_and_read_equal(data, place, name):
    uri = place(name)
    write(data, uri, name)
    back = onebox.read(uri)
    assert facts(back) == facts(data)
    assert back.name == uri
    by_name = {sample.file_name: sample for sample in data}
    for sample in back:
        assert sample.image.read() == by_name[sample.file_name].image.read_bytes()
        assert onebox.read(uri).samples[0].image.open().read(4) == b"\x89PNG"
    with pytest.raises(SettingError, match="exists already"):
        write(data, uri, name)


@pytest.mark.parametrize(("name", "suffix"), [("parquet", ".parquet"), ("webdataset", ".tar")])
def test_a_single_shard_may_be_written_and_read(data, place, name, suffix):
    write(data, place(f"one{suffix}"), name)
    assert facts(read(place(f"one{suffix}"))) == facts(data)


def test_a_failed_write_removes_the_shards_before_it(data, place, tmp_path):
    broken = dataclasses.replace(data.samples[3], image=tmp_path / "gone.png")  # the last split
    with pytest.raises(DataError, match=r"gone\.png"):
        write(dataclasses.replace(data, samples=(*data.samples, broken)), place("bad"), "parquet")
    assert not stores.exists(place("bad")) or not list(stores.find(place("bad"), {".parquet"}))


def test_a_place_without_shards_and_a_format_of_loose_files_are_refused(data, place):
    with pytest.raises(DataError, match="does not exist"):
        read(place("nowhere"))
    with pytest.raises(SettingError, match="csv labels lie beside images on a disk"):
        write(data, place("labels.csv"), "csv")
    with pytest.raises(SettingError, match="csv labels lie beside images on a disk"):
        read(place("labels.csv"), "csv")


def test_the_commands_take_uris(data, place, bright_file, run, tmp_path):
    write(data, tmp_path / "labels.csv", "csv")
    code, out, err = run("convert", tmp_path / "labels.csv", place("cli"), "--to", "parquet")
    assert (code, out, err) == (0, f"{place('cli')}: 8 images\n", "")
    code, out, _ = run("evaluate", bright_file, place("cli"), "--split", "all", "--json")
    assert code == 0
    assert '"images": 8' in out
