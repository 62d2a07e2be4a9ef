# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Adds up the blocks that a VM ran (block_trace.c) by hook call and function.

    hook_profile.py FOLDER [PROGRAM]      FOLDER has `blocks`, `code` and `symbols` of hook_profile.sh

A hook call is what runs from the tracepoint's entry (of `fexit`: from the first of our programs) until the function is back
that it was called from. Calls that go through the same programs are one row; what is printed of them is a call of median
length, the dearest function first. With a PROGRAM: the instructions that one call of it ran through, in their order.
"""

import bisect
import collections
import pathlib
import struct
import sys

KERNEL = 0xFFFF800000000000
BLOCK = struct.Struct("<QQ")


class Symbols:
    """Functions by address."""

    def __init__(self, path):
        rows = (line.split() for line in path.read_text().splitlines())
        self.rows = sorted((int(row[0], 16), row[2]) for row in rows if row[1] in "tTwW")
        self.addresses = [address for address, _ in self.rows]
        self.known = {}

    def at(self, address):
        if address not in self.known:
            place = bisect.bisect_right(self.addresses, address) - 1
            self.known[address] = self.rows[place][1] if place >= 0 and address >= KERNEL else "user space"
        return self.known[address]


def program_of(symbol):
    """The name that its author gave a BPF program, or None: bpf_prog_<tag>_<name>."""
    return symbol.split("_", 3)[3] if symbol.startswith("bpf_prog_") else None


def is_hook(symbol):
    return symbol.startswith("__bpf_trace_sock_msg") or (program_of(symbol) or "").startswith(("pb_tcp_rx", "pb_tcp_tx"))


def blocks_of(folder, symbols):
    data = (folder / "blocks").read_bytes()
    for address, count in BLOCK.iter_unpack(data[: len(data) // BLOCK.size * BLOCK.size]):
        yield symbols.at(address), address, count


def hook_calls(blocks):
    """Lists of (symbol, address, instructions), one a call."""
    caller = call = None
    for block in blocks:
        symbol = block[0]
        if call is None:
            if caller is not None and is_hook(symbol):
                call = [block]
            else:
                caller = symbol
        elif symbol == caller:
            yield call
            call = None
        else:
            call.append(block)


def length(call):
    return sum(count for _, _, count in call)


def print_profile(calls):
    groups = collections.defaultdict(list)
    for call in calls:
        groups[tuple(sorted({program_of(symbol) for symbol, _, _ in call} - {None}))].append(call)
    for programs, alike in sorted(groups.items(), key=lambda group: -len(group[1])):
        alike.sort(key=length)
        median = alike[len(alike) // 2]
        print(f"{', '.join(programs)}: {len(alike)} calls of {length(alike[0])} to {length(alike[-1])}, median {length(median)}")
        by_function = collections.Counter()
        for symbol, _, count in median:
            by_function[symbol] += count
        for symbol, count in by_function.most_common():
            print(f"  {count:6} {symbol}")


def print_listing(calls, program, folder):
    code = {}
    for line in (folder / "code").read_text().splitlines():
        address, _, text = line.partition(" ")
        code[int(address, 16)] = text
    following = sorted(code)
    call = next(call for call in calls if any(program_of(symbol) == program for symbol, _, _ in call))
    for symbol, address, count in call:
        if program_of(symbol) is None:
            print(f"{'':20} ... {count} of {symbol}")
            continue
        place = bisect.bisect_left(following, address)
        for at in following[place : place + count]:
            print(f"{program_of(symbol):20} {at:x} {code[at]}")


def main():
    folder = pathlib.Path(sys.argv[1])
    calls = list(hook_calls(blocks_of(folder, Symbols(folder / "symbols"))))
    if not calls:
        sys.exit("hook_profile: no hook call was traced")
    if len(sys.argv) > 2:
        print_listing(calls, sys.argv[2], folder)
    else:
        print_profile(calls)


main()
