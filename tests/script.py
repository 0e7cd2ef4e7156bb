"""Runs a piece of Python in a process of its own, for what can only be seen from the start of a process."""

import os
import subprocess
import sys
import textwrap


def start(code, *, env=None, **options):
    # Of this test run's Weft: the child finds modules where this process does.
    full = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    for name in ("WEFT_NUM_THREADS", "WEFT_CPU_ISA", "PYTHONDONTWRITEBYTECODE"):
        full.pop(name, None)
    full.update(env or {})
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=full,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def finish(process, *, timeout=120):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"hung\n{out}\n{err}") from None
    return process.returncode, out.strip(), err.strip()


def run(code, *, env=None, timeout=120):
    """The script's output; it must end well."""
    status, out, err = finish(start(code, env=env), timeout=timeout)
    assert status == 0, f"status {status}\n{out}\n{err}"
    return out


def fails(code, *, env=None):
    """The script's last line of error; it must fail."""
    status, out, err = finish(start(code, env=env))
    assert status != 0, f"did not fail\n{out}"
    return err.splitlines()[-1]
