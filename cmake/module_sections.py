#!/usr/bin/env python3
# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the assembler file that carries a module's manifest and BPF objects as ELF sections.

The manifest gets what only the build knows: one entry per BPF object with its section, attach prototype and digest.
"""
import argparse
import hashlib
import json
import pathlib


def section(name: str, data: pathlib.Path) -> str:
    # No "a" flag: the sections are read from the file, they need no memory once the module runs.
    return f'.section {name},"",@progbits\n.balign 8\n.incbin "{data}"\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--manifest", required=True, type=pathlib.Path)
    parser.add_argument("--bpf", action="append", default=[], metavar="PROTOTYPE=FILE")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    arguments = parser.parse_args()

    manifest = json.loads(arguments.manifest.read_text())
    if manifest.get("name") != arguments.name:
        raise SystemExit(f"{arguments.manifest}: name is {manifest.get('name')!r}, the build says {arguments.name!r}")
    sections = []
    manifest["bpf_objects"] = []
    for index, item in enumerate(arguments.bpf):
        prototype, _, path = item.partition("=")
        data = pathlib.Path(path)
        name = f".probed.bpf.{index}"
        manifest["bpf_objects"].append(
            {"section": name, "prototype": prototype, "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}
        )
        sections.append(section(name, data))
    out_manifest = arguments.out.with_suffix(".manifest.json")
    out_manifest.write_text(json.dumps(manifest, separators=(",", ":")))
    sections.insert(0, section(".probed.manifest", out_manifest))
    arguments.out.write_text("".join(sections) + '.section .note.GNU-stack,"",@progbits\n')


if __name__ == "__main__":
    main()
