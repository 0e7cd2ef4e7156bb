"""The command line, end to end, as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import weft

WEFT = [sys.executable, "-m", "weft"]


def run(*args, cwd, env=None, ok=True):
    done = subprocess.run(
        [*WEFT, *map(str, args)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if ok:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("trained")
    done = run("train", "digits", "--seed", 1, cwd=cwd, env={"WEFT_NUM_THREADS": "1"})
    return cwd, done.stdout


def test_training_writes_a_run_and_reaches_its_accuracy(trained):
    cwd, out = trained
    folder = cwd / "runs" / "digits-1"
    assert sorted(os.listdir(folder)) == ["config.json", "metrics.jsonl", "model.safetensors"]
    accuracy = float(re.search(r"held-out accuracy ([\d.]+)%", out)[1])
    assert accuracy >= 98.5
    config = json.loads((folder / "config.json").read_text())
    assert config["task"] == "digits" and config["seed"] == 1 and config["weft"] == weft.__version__
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in rows] == list(range(1, config["epochs"] + 1))
    assert rows[-1]["held_out_accuracy"] * 100 == pytest.approx(accuracy, abs=0.01) and rows[-1]["held_out"] == 359
    assert rows[-1]["seconds"] < 30 * 8  # 30 s on two free cores; tests may share them
    assert "\x1b" not in out and len(out.splitlines()) == config["epochs"] + 2


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(trained, tmp_path):
    cwd, _ = trained
    first = (cwd / "runs" / "digits-1" / "model.safetensors").read_bytes()
    run("train", "digits", "--seed", 1, "--out", "two", cwd=tmp_path, env={"WEFT_NUM_THREADS": "2"})
    assert (tmp_path / "two" / "model.safetensors").read_bytes() == first
    run("train", "digits", "--seed", 1, "--threads", 3, "--out", "three", cwd=tmp_path)
    assert (tmp_path / "three" / "model.safetensors").read_bytes() == first


def test_predict(trained, tmp_path):
    cwd, _ = trained
    images = weft.datasets.digits().test_images.numpy()[:40]
    labels = weft.datasets.digits().test_labels.numpy()[:40]
    variants = {
        "unit.npy": images[:, 0].astype(np.float32),
        "sixteen.npy": (images[:, 0] * 16).astype(np.uint8),
        "channel.npy": (images * 16).astype(np.int64),
        "flat.npy": images.reshape(40, 64).astype(np.float16),
        "fortran.npy": np.asfortranarray(images[:, 0].astype(np.float64)),
    }
    outputs = set()
    for name, array in variants.items():
        np.save(tmp_path / name, array)
        outputs.add(run("predict", cwd / "runs/digits-1", tmp_path / name, cwd=tmp_path).stdout)
    assert len(outputs) == 1
    lines = outputs.pop().splitlines()
    assert len(lines) == 40
    classes, probabilities = zip(*((int(a), float(b)) for a, b in (line.split() for line in lines)), strict=True)
    assert (np.array(classes) == labels).mean() >= 0.95 and all(0 <= p <= 1 for p in probabilities)

    np.save(tmp_path / "one.npy", images[0, 0] * 255)
    done = run("predict", cwd / "runs/digits-1", tmp_path / "one.npy", "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert row["class"] == classes[0] and sum(row["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert row["probability"] == max(row["probabilities"])

    np.save(tmp_path / "none.npy", np.zeros((0, 8, 8)))
    assert json.loads(run("predict", cwd / "runs/digits-1", tmp_path / "none.npy", "--json", cwd=tmp_path).stdout) == []


BAD_ARRAYS = {
    "shape": np.zeros((3, 28, 28)),
    "text": np.array(["a"]),
    "complex": np.zeros((8, 8), complex),
    "nan": np.full((8, 8), np.nan),
    "negative": np.full((8, 8), -1.0),
    "too bright": np.full((8, 8), 1000),
    "objects": np.array([None, 1], dtype=object),
    "scalar": np.float64(3),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_predict_refuses_bad_images(trained, tmp_path, name):
    cwd, _ = trained
    np.save(tmp_path / "x.npy", BAD_ARRAYS[name], allow_pickle=True)
    refuses(run("predict", cwd / "runs/digits-1", tmp_path / "x.npy", cwd=tmp_path, ok=False))


def refuses(done, code=2):
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("weft: error: ") and len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_predict_refuses_bad_files_and_runs(trained, tmp_path):
    cwd, _ = trained
    good = cwd / "runs/digits-1"
    np.save(tmp_path / "x.npy", np.zeros((8, 8)))
    np.savez(tmp_path / "x.npz", np.zeros((8, 8)))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.npy").write_text("")
    for file in ("missing.npy", "x.npz", "text.npy", "empty.npy"):
        refuses(run("predict", good, file, cwd=tmp_path, ok=False))
    refuses(run("predict", "nowhere", "x.npy", cwd=tmp_path, ok=False))
    assert "config.json" in refuses(run("predict", tmp_path, "x.npy", cwd=tmp_path, ok=False))

    broken = tmp_path / "broken"
    broken.mkdir()
    weights = (good / "model.safetensors").read_bytes()
    for config, model in [
        (b"{", weights),
        (b"[]", weights),
        (b'{"task": "birds"}', weights),
        (b'{"task": "digits"}', weights[:1000]),
        (b'{"task": "digits"}', b""),
    ]:
        (broken / "config.json").write_bytes(config)
        (broken / "model.safetensors").write_bytes(model)
        refuses(run("predict", broken, "x.npy", cwd=tmp_path, ok=False))
    weft.save({"w": weft.ones(2)}, broken / "model.safetensors")
    assert "does not fit" in refuses(run("predict", broken, "x.npy", cwd=tmp_path, ok=False))
    (broken / "model.safetensors").unlink()
    assert "no weights" in refuses(run("predict", broken, "x.npy", cwd=tmp_path, ok=False))


def test_train_options_are_checked(tmp_path):
    for args in (["--epochs", "0"], ["--batch-size", "1"], ["--lr", "abc"], ["--seed", "-1"], ["--threads", "0"]):
        assert run("train", "digits", *args, cwd=tmp_path, ok=False).returncode == 2
    for args in (["--lr", "-1"], ["--lr", "nan"], ["--device", "tpu"]):
        refuses(run("train", "digits", *args, cwd=tmp_path, ok=False))
    if not weft.cuda.is_available():
        refuses(run("train", "digits", "--device", "cuda", cwd=tmp_path, ok=False))
    assert run("train", "birds", cwd=tmp_path, ok=False).returncode == 2
    assert not (tmp_path / "runs").exists()


def test_run_folders(tmp_path):
    short = ["--epochs", 1, "--batch-size", 719]
    run("train", "digits", *short, cwd=tmp_path)
    run("train", "digits", *short, cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "runs")) == ["digits-1", "digits-2"]
    run("train", "digits", *short, "--out", "mine/deep", cwd=tmp_path)
    before = (tmp_path / "mine/deep/metrics.jsonl").read_text()
    assert "--overwrite" in refuses(run("train", "digits", *short, "--out", "mine/deep", cwd=tmp_path, ok=False))
    assert (tmp_path / "mine/deep/metrics.jsonl").read_text() == before
    (tmp_path / "mine/deep/notes.txt").write_text("keep me")
    run("train", "digits", *short, "--out", "mine/deep", "--overwrite", "--seed", 5, cwd=tmp_path)
    assert (tmp_path / "mine/deep/notes.txt").read_text() == "keep me"
    assert json.loads((tmp_path / "mine/deep/config.json").read_text())["seed"] == 5
    (tmp_path / "file").write_text("")
    refuses(run("train", "digits", *short, "--out", "file", cwd=tmp_path, ok=False))


def test_diverging_training_stops_with_a_reason(tmp_path):
    done = run("train", "digits", "--lr", 1e30, "--epochs", 3, cwd=tmp_path, ok=False)
    assert "lower --lr" in refuses(done, code=1)


def test_ctrl_c_keeps_the_last_good_weights(tmp_path):
    process = subprocess.Popen(
        [*WEFT, "train", "digits", "--epochs", "500", "--out", "run"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run/model.safetensors").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err
    np.save(tmp_path / "x.npy", np.zeros((8, 8)))
    assert len(run("predict", "run", "x.npy", cwd=tmp_path).stdout.splitlines()) == 1


def test_info(tmp_path):
    out = run("info", cwd=tmp_path).stdout
    for word in ("weft", "processor", "instruction set", "threads", "memory", "gpu", "numpy"):
        assert word in out
    values = json.loads(run("info", "--json", cwd=tmp_path, env={"WEFT_NUM_THREADS": "2"}).stdout)
    assert values["weft"] == weft.__version__ and values["threads"] == 2
    assert values["packages"]["numpy"] == np.__version__


def test_help(tmp_path):
    for args in (["--help"], ["train", "--help"], ["train", "digits", "--help"], ["predict", "--help"]):
        assert "Usage" in run(*args, cwd=tmp_path).stdout
    assert run("fly", cwd=tmp_path, ok=False).returncode == 2


def test_a_terminal_gets_a_live_bar(tmp_path):
    pty = pytest.importorskip("pty")
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [*WEFT, "train", "digits", "--epochs", "1"],
        cwd=tmp_path,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "160"},
    )
    os.close(child)
    seen = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    assert process.wait(timeout=60) == 0
    os.close(parent)
    text = seen.decode(errors="replace")
    assert "samples/s" in text and "accuracy" in text and "loss" in text and "\x1b[" in text
