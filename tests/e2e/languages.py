# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Programs of the tests in other languages: what they need, and how they are built.

What a registry must give comes through the language's ordinary client, in the versions that the lock files name. Where
that is not to be had the test skips and says so. What was built is kept in the build folder until its sources change.
"""

import hashlib
import json
import os
import shutil
import subprocess

from harness import BUILD_DIR
from peers import PYTHON


class Missing(Exception):
    """What is not to be had on this machine."""


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def fetch(what, command, **options):
    """A command that may need the network."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL, **options)
    except subprocess.TimeoutExpired:
        raise Missing(f"{what} did not come within 180 s") from None
    if done.returncode != 0:
        raise Missing(f"{what}: {(done.stderr or done.stdout).strip()[-300:]}")


def built(sources, name, build):
    """The command of the program in `sources`, built once: build(folder) makes it in a folder of that name."""
    folder = BUILD_DIR / name
    files = sorted(path for path in sources.glob("*") if path.is_file())
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    done = folder / "built.json"
    if done.exists():
        kept = json.loads(done.read_text())
        if kept["sources"] == stamp:
            return kept["command"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = list(map(str, build(folder)))
    done.write_text(json.dumps({"sources": stamp, "command": command}))
    return command


def go_program(sources, folder):
    """go.sum has the modules' checksums; -mod=readonly lets nobody change it."""
    go = program("go")
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    fetch("the Go modules", [go, "mod", "download"], cwd=sources, env=environment)
    subprocess.run([go, "build", "-o", folder / "program", "."], check=True, cwd=sources, env=environment)
    return [folder / "program"]


def rust_program(sources, folder):
    cargo = program("cargo")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(folder / "target")}
    fetch("the crates", [cargo, "fetch", "--locked"], cwd=sources, env=environment)
    subprocess.run([cargo, "build", "--release", "--locked", "--offline", "-q", "-j", "2"], check=True, cwd=sources,
                   env=environment)
    return [folder / "target" / "release" / "program"]


def node_program(sources, folder, script):
    npm, node = program("npm"), program("node")
    for name in ("package.json", "package-lock.json", script):
        shutil.copy(sources / name, folder)
    fetch("the npm packages", [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)
    return [node, folder / script]


def java_program(sources, folder, name):
    maven, javac, java = program("mvn"), program("javac"), program("java")
    for file in ("pom.xml", f"{name}.java"):
        shutil.copy(sources / file, folder)
    fetch("the Maven artifacts", [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], cwd=folder)
    subprocess.run([javac, "-cp", f"{folder}/lib/*", "-d", folder / "classes", folder / f"{name}.java"], check=True)
    return [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", f"{folder}/classes:{folder}/lib/*", name]


def python_program(sources, folder, script):
    """requirements.txt has the checksums of all there is, so nothing else is taken along. `script`: there, or anywhere."""
    command = [PYTHON, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--only-binary", ":all:",
               "--target", folder, "-r", sources / "requirements.txt"]
    fetch("the Python packages", list(map(str, command)), cwd=folder)
    copy = shutil.copy(sources / script, folder)  # beside them, which is where Python looks first
    return [PYTHON, copy]
