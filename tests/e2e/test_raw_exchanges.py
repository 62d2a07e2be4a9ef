# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Exchanges said byte by byte to a scripted server, both ends traced: what leaves the kernel is enough to tell them."""

import collections
import contextlib
import json
import platform
import random
import subprocess
import unittest

import peers
import raw_peer
from harness import LOSSES, SOURCE_DIR, LiveCase, accepts, free_port, wait_for
from raw_peer import bye, client, reset, server
from scrape import Scrape
from spans import CLIENT, SERVER

CORPUS = SOURCE_DIR / "modules" / "http" / "tests" / "fuzz" / "http_decoder_fuzz_corpus"
FAKE = "GET /fake HTTP/1.1\r\nHost: fake\r\n\r\n"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"traceparent: 00-{TRACE}-{PARENT}-01\r\n"


def lines(size):
    """So many bytes of header lines, of many lengths."""
    text = ""
    while size - len(text) > 120:
        text += f"X-Line-{len(text)}: {'v' * (len(text) % 61)}\r\n"
    rest = size - len(text)
    return text + f"X-L: {'v' * (rest - 7)}\r\n"


def get(path="/{case}", headers="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: raw\r\n{headers}\r\n"


def post(body, path="/{case}", headers="", after="", method="POST"):
    """With the length among the headers: `headers` before it, `after` behind it."""
    return f"{method} {path} HTTP/1.1\r\nHost: raw\r\n{headers}Content-Length: {len(body)}\r\n{after}\r\n{body}"


def ok(body="", headers="", after="", status="200 OK"):
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n{after}\r\n{body}"


def in_chunks(*chunks):
    return "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks) + "0\r\n\r\n"


CHUNKED = "Transfer-Encoding: chunked\r\n"


class Case:
    """What is said, and what both ends must show of it: each exchange as "METHOD target status error" (`served`: where the
    server shows something else), the sizes of all bodies that go up and down (None: not every one can be known), how many
    heads are cut, whether contradicting framing is flagged, whether the trace of TRACEPARENT is continued, whether the
    place may be lost inside of what is said (that is counted, and nothing is made up). `then`: another exchange follows
    on the connection, which shows that the place in it was not lost."""

    def __init__(self, *steps, want, served=None, up=0, down=0, cut=0, conflict=False, continued=False, gaps=False,
                 then=True):
        self.steps = list(steps)
        self.want = [want] if isinstance(want, str) else list(want)
        self.served = served or self.want
        self.up, self.down, self.cut, self.conflict, self.continued, self.gaps = up, down, cut, conflict, continued, gaps
        if then:
            self.steps += [client(get("/{case}/then"), pause=True), server(ok("hi"))]
            self.want.append("GET /{case}/then 200 -")
            self.down = None if down is None else down + 2

    def named(self, name):
        """With its name in every path."""
        self.steps = [{key: value.replace("{case}", name) if key == "text" else value for key, value in step.items()}
                      for step in self.steps]
        self.want = [one.replace("{case}", name) for one in self.want]
        self.served = [one.replace("{case}", name) for one in self.served]
        return self


def no_body_cases():
    """What a head says of a length is not followed by so many bytes."""
    long = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"
    turns = [step for n in range(3) for step in (client(get(f"/{{case}}/head/{n}", method="HEAD"), pause=True), server(long),
                                                 client(get(f"/{{case}}/get/{n}"), pause=True), server(ok("x" * 3000)))]
    turned = [f"{method} /{{case}}/{method.lower()}/{n} 200 -" for n in range(3) for method in ("HEAD", "GET")]
    return {
        "head_with_a_length": Case(client(get(method="HEAD")), server(long), want="HEAD /{case} 200 -"),
        "heads_by_turns": Case(*turns, want=turned, down=9000),
        "pipelined_heads": Case(
            client(get("/{case}/1") + get("/{case}/2", method="HEAD") + get("/{case}/3")), server(ok("one")),
            server(long, pause=True), server(ok("three"), pause=True),
            want=["GET /{case}/1 200 -", "HEAD /{case}/2 200 -", "GET /{case}/3 200 -"], down=8),
        "not_modified_with_a_length": Case(
            client(get("/{case}/1") + get("/{case}/2")), server(long.replace("200 OK", "304 Not Modified")),
            server(ok("two"), pause=True), want=["GET /{case}/1 304 -", "GET /{case}/2 200 -"], down=3),
        "no_content": Case(client(get(method="DELETE")), server("HTTP/1.1 204 No Content\r\n\r\n"),
                           want="DELETE /{case} 204 -"),
    }


def interim_cases():
    body = FAKE * 1000 + "b" * 300_000
    short, long = (post(text, headers="Expect: 100-continue\r\n").partition("\r\n\r\n") for text in ("b" * 20_000, body))
    go_on = server("HTTP/1.1 100 Continue\r\n\r\n")
    tunnel = "CONNECT {case}.test:443"
    ask_tunnel = client(tunnel + " HTTP/1.1\r\nHost: {case}.test:443\r\n\r\n")
    return {
        "continue": Case(client(short[0] + short[1]), go_on, client(short[2]), server(ok("done")),
                         want="POST /{case} 200 -", up=20_000, down=4),
        "continue_with_a_large_body": Case(client(long[0] + long[1]), go_on, client(body, how="apart"), server(ok("done")),
                                           want="POST /{case} 200 -", up=len(body), down=4),
        "early_hints": Case(client(get()), server("HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n"),
                            server("HTTP/1.1 102 Processing\r\n\r\n" + ok("x" * 5000)), want="GET /{case} 200 -", down=5000),
        "upgrade": Case(client(get(headers="Connection: Upgrade\r\nUpgrade: other\r\n")),
                        server("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"),
                        client(FAKE), server(ok("fake")), client(FAKE * 100), server("bytes" * 1000),
                        want="GET /{case} 101 -", then=False),
        "connect": Case(ask_tunnel, server("HTTP/1.1 200 Connection Established\r\n\r\n"), client("\x16\x03\x01\x02" + FAKE),
                        server("\x16\x03\x03" * 500), client(FAKE), server(ok("fake")), want=f"{tunnel} 200 -", then=False),
        "connect_refused": Case(ask_tunnel, server(ok("no", status="403 Forbidden")), want=f"{tunnel} 403 403",
                                served=[f"{tunnel} 403 -", "GET /{case}/then 200 -"], down=2),
    }


def odd_cases():
    folded = "X-Folded: one\r\n two\r\n\tthree\r\n" * 40
    return {
        "webdav": Case(client(post("<a/>" * 600, method="PROPFIND")), server(ok("<r/>" * 900, status="207 Multi-Status")),
                       want="PROPFIND /{case} 207 -", up=2400, down=3600),
        "asterisk": Case(client("OPTIONS * HTTP/1.1\r\nHost: raw\r\n\r\n"), server(ok()), want="OPTIONS / 200 -",
                         served=["OPTIONS * 200 -"], then=False),
        "absolute": Case(client(get("http://raw.test:81/{case}")), server(ok("abc")), want="GET /{case} 200 -", down=3),
        "folded": Case(client(post("x" * 2000, headers=folded)), server(ok("y" * 3000, headers=folded)),
                       want="POST /{case} 200 -", up=2000, down=3000),
        "bare_line_feeds": Case(client(post("x" * 2000).replace("\r", "")), server(ok("y" * 2000).replace("\r", "")),
                                want="POST /{case} 200 -", up=2000, down=2000),
        "empty_lines_before": Case(
            client(post("abc", "/{case}/1")), server(ok("x")), client("\r\n\r\n" + get("/{case}/2"), pause=True), server(ok("y")),
            want=["POST /{case}/1 200 -", "GET /{case}/2 200 -"], up=3, down=2),
        "length_in_any_case": Case(client(post("x" * 3000).replace("Content-Length", "cONTENT-lENGTH")),
                                   server(ok("y" * 3000).replace("Content-Length: ", "content-length:")),
                                   want="POST /{case} 200 -", up=3000, down=3000),
        "until_close": Case(client(get()), server("HTTP/1.0 200 OK\r\n\r\n" + "x" * 3000), server("y" * 3000, pause=True),
                            bye(raw_peer.SERVER), want="GET /{case} 200 -", down=6000, then=False),
        "closed_in_the_body": Case(client(get()), server("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + "x" * 3000),
                                   bye(raw_peer.SERVER), want="GET /{case} 200 connection_closed", then=False),
        "reset_before_the_response": Case(client(get()), reset(raw_peer.SERVER), want="GET /{case} - connection_reset",
                                          served=["GET /{case} - connection_closed"], then=False),
        # What the reader threw away nobody knows, least of all from what its buffer held before.
        "discarded": Case(client(post("x" * 2000, "/{case}/1"), read="discard"), server(ok("abc")),
                          want=["POST /{case}/1 200 -"], served=["GET /{case}/then 200 -"], up=None, down=None),
    }


def framing_cases():
    """Where lengths contradict each other, or something only looks like one, what follows is neither made up nor lost."""
    other = "Content-Length: 900000\r\n"
    return {
        "two_lengths_of_a_request": Case(client(post("abc", headers=other)), server(ok("x")), want="POST /{case} 200 -",
                                         up=None, down=None, conflict=True),
        "two_lengths_of_a_request_turned": Case(client(post("abc", after=other)), server(ok("x")), want="POST /{case} 200 -",
                                                up=None, down=None, conflict=True),
        "two_lengths_of_a_response": Case(client(get()), server(ok("x" * 2000, after=other)), want="GET /{case} 200 -",
                                          down=None, conflict=True),
        "length_and_chunks": Case(client(post("3\r\nabc\r\n0\r\n\r\n", headers=CHUNKED)), server(ok("x")),
                                  want="POST /{case} 200 -", up=None, down=None, conflict=True),
        "transfer_of_something_else": Case(
            client(post("ffffff\r\n" + "x" * 3000, headers="Transfer-Ticket: chunked\r\n")),
            server(ok("ffffff\r\n" + "x" * 3000, headers="Transferred: 7\r\n")), want="POST /{case} 200 -", up=3008, down=3008),
        "transfer_of_something_else_apart": Case(
            client(post("", headers="Transfer-Ticket: chunked\r\n").replace(": 0", ": 3008")),
            client("ffffff\r\n" + "x" * 3000, pause=True), server(ok("y")), want="POST /{case} 200 -", up=3008, down=1),
        "length_in_a_value": Case(client(get(headers="X-Note: a\r\nY-Content-Length: 70000\r\n")),
                                  server(ok("x" * 2000, headers="X-Note: Content-Length: 9\r\n")), want="GET /{case} 200 -",
                                  down=2000),
    }


def body_cases():
    """Bodies of known length in both directions: which of their bytes look like heads does not matter."""
    cases = {}
    for size in (1, 1000, 1025, 10_000, 1_000_000):
        body, answer = ((text * (size // len(text) + 1))[:size] for text in (FAKE, ok("fake")))
        for how in ("sendall", "apart", "writev"):
            cases[f"body_{size}_{how}"] = Case(client(post(body), how=how), server(ok(answer), how=how),
                                               want="POST /{case} 200 -", up=size, down=size)
        head, answer_head = (text[:text.index("\r\n\r\n") + 4] for text in (post(body), ok(answer)))
        cases[f"body_{size}_by_itself"] = Case(client(head), client(body, pause=True), server(answer_head),
                                               server(answer, pause=True), want="POST /{case} 200 -", up=size, down=size)
        cases[f"body_{size}_and_the_next"] = Case(
            client(post(body, "/{case}/1") + get("/{case}/2")), server(ok(answer) + ok("abc")),
            want=["POST /{case}/1 200 -", "GET /{case}/2 200 -"], up=size, down=size + 3)
    return cases


def chunk_cases():
    kinds = {"small": ["abc", FAKE, "x" * 500], "many": ["c" * (1 + 37 * n % 900) for n in range(100)],
             "large": ["x" * 100_000, FAKE * 2000, "y" * 70_000]}
    head, answer = f"POST /{{case}} HTTP/1.1\r\nHost: raw\r\n{CHUNKED}\r\n", f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n"
    cases = {}
    for name, kind in kinds.items():
        chunks, many = in_chunks(*kind), name == "many"  # more in one call than are followed
        size = None if many else sum(map(len, kind))
        checks = {"want": "POST /{case} 200 -", "up": size, "down": size, "gaps": many}
        for how in ("sendall", "apart"):
            cases[f"chunks_{name}_{how}"] = Case(client(head + chunks, how=how), server(answer + chunks, how=how), **checks)
        cases[f"chunks_{name}_by_themselves"] = Case(client(head), client(chunks, pause=True), server(answer),
                                                     server(chunks, pause=True), **checks)
    capitals = "".join(f"{len(chunk):X}\r\n{chunk}\r\n" for chunk in ("x" * 3000, FAKE, "y" * 0xABCD)) + "0\r\n\r\n"
    cases["chunks_in_capitals"] = Case(client(head), client(capitals, pause=True), server(answer),
                                       server(capitals, pause=True), want="POST /{case} 200 -", up=0xABCD + 3000 + len(FAKE),
                                       down=0xABCD + 3000 + len(FAKE))
    pieces = ("3", "e8\r\n", "x" * 1000, "\r\n", "5;a=b\r", "\nhello\r\n0\r\n", "X-Sum: 1\r\n", "\r\n")
    cases["chunks_split_in_their_lines"] = Case(client(head), *(client(piece, pause=True) for piece in pieces),
                                                server(ok("x")), want="POST /{case} 200 -", up=1005, down=1)
    written = ("a" * 1000, ok("fake"), "b" * 5000)
    cases["chunk_by_chunk"] = Case(
        client(get()), server(answer), *(server(f"{len(chunk):x}\r\n{chunk}\r\n", pause=True) for chunk in written),
        server("0\r\n\r\n", pause=True), want="GET /{case} 200 -", down=6000 + len(ok("fake")))
    return cases


def head_cases(capture, sizes, hows=("sendall", "apart")):
    """Heads of many sizes; those over the capture are cut, and say so."""
    cases = {}
    for size in sizes:
        cut = int(size > capture)
        body = None if cut else 3000  # how long it is may have been cut off
        for how in hows:
            cases[f"get_{size}_{how}"] = Case(client(get(headers=lines(size - 70)), how=how), server(ok("abc")),
                                              want="GET /{case} 200 -", cut=cut, down=3)
            cases[f"answer_{size}_{how}"] = Case(
                client(get()), server(ok("x" * 3000, headers=lines(size - 60)), how=how), want="GET /{case} 200 -",
                cut=cut, down=body)
            cases[f"post_{size}_{how}"] = Case(client(post("x" * 3000, headers=lines(size - 90)), how=how), server(ok("abc")),
                                               want="POST /{case} 200 -", cut=cut, up=body, down=3)
    return cases


def long_chunked_head():
    """That the body is chunked is said long before the head ends: what stands between is no chunk."""
    head = f"POST /{{case}} HTTP/1.1\r\nHost: raw\r\n{CHUNKED}" + "c: deadbeef\r\n" * 150
    return {"chunked_said_early": Case(client(f"{head}\r\n{in_chunks('abc')}"), server(ok("abc")), want="POST /{case} 200 -",
                                       up=None, down=3)}


def fakes_after_a_cut_head(size):
    """How long a body is may have been cut off with the end of its head: nothing in it is a request."""
    whole = post(FAKE * 3, headers=lines(size))
    head, body = whole[:-3 * len(FAKE)], whole[-3 * len(FAKE):]
    pieces = [client(piece, pause=True) for piece in (FAKE, FAKE, FAKE)]
    return {"fakes_after_a_cut_head": Case(client(head), *pieces, server(ok("abc")), want="POST /{case} 200 -", cut=1,
                                           up=None, down=3),
            "fakes_with_a_cut_head": Case(client(head + body), server(ok("abc")), want="POST /{case} 200 -", cut=1,
                                          up=None, down=3)}


def context_cases(places):
    """traceparent that many bytes into the head."""
    cases = {}
    for place in places:
        headers = lines(place - 40) + TRACEPARENT
        cases[f"context_get_{place}"] = Case(client(get(headers=headers)), server(ok()), want="GET /{case} 200 -",
                                             continued=True)
        cases[f"context_post_{place}"] = Case(client(post("x" * 100, headers=headers)), server(ok()),
                                              want="POST /{case} 200 -", up=100, continued=True)
    return cases


def call_cases():
    """The same exchanges through every call that sends and reads."""
    cases = {}
    for how in raw_peer.SENDING:
        cases[f"sent_by_{how}"] = Case(client(post("x" * 5000), how=how), server(ok("y" * 5000), how=how),
                                       want="POST /{case} 200 -", up=5000, down=5000)
    for read in ("recv", "peek", "few", "all", "readv", "preadv2"):
        cases[f"read_by_{read}"] = Case(
            client(get("/{case}/1"), read=read), server(ok("y" * 500), read=read),
            client(post("x" * 500, "/{case}/2"), read=read), server(ok("y" * 500), read=read),
            want=["GET /{case}/1 200 -", "POST /{case}/2 200 -"], up=500, down=1000)
    return cases


def target(span):
    said = span.attributes
    return f"{said['server.address']}:{said['server.port']}" if said["http.request.method"] == "CONNECT" else span.path


def shown(spans):
    def one(span):
        said = span.attributes
        method = said.get("http.request.method_original", said["http.request.method"])
        return f"{method} {target(span)} {said.get('http.response.status_code', '-')} {said.get('error.type', '-')}"
    return collections.Counter(map(one, spans))


class RawExchanges(LiveCase):
    def play(self, cases, capture=4096):
        """All cases one after the other under one daemon; each is asked for everything it must show."""
        cases = {name: case.named(name) for name, case in cases.items()}
        scripts = self.folder / "scripts.json"
        scripts.write_text(json.dumps([case.steps for case in cases.values()]))
        self.port, self.scrape = free_port(), Scrape()
        self.spawn([peers.PYTHON, raw_peer.__file__, self.port, scripts])
        wait_for("the server", lambda: accepts(self.port))
        sinks = [{"name": "file", "type": "file", "path": str(self.folder / "spans.jsonl")}, self.scrape.sink()]
        self.daemon = self.run_daemon(self.port, sinks=sinks, daemon={"batch_delay": "10ms"})
        self.daemon.ctl("configure", "http", "--set", f"capture_bytes={capture}")
        self.before = self.scrape.body_sizes(), self.daemon.counters()
        for name, case in cases.items():
            with self.subTest(name):
                self.check(case)
        self.daemon.wait_spans(0, settle=0.5)
        with self.subTest("nothing else"):
            self.assertEqual(len(self.daemon.spans()), sum(len(case.want) + len(case.served) for case in cases.values()))
            self.assertTrue(self.daemon.ctl_json("ledger")["closes"])

    def check(self, case):
        known, (sizes, counters) = len(self.daemon.spans()), self.before
        raw_peer.Player(peers.connect(self.port), raw_peer.CLIENT).play(case.steps)
        total = len(case.want) + len(case.served)
        with contextlib.suppress(AssertionError):  # what came instead says more
            wait_for("the spans", lambda: len(self.daemon.spans()) >= known + total, 20, step=0.01)
        found = self.daemon.spans()[known:]
        by_client, by_server = ([span for span in found if span.kind == kind] for kind in (CLIENT, SERVER))
        self.assertEqual(shown(by_client), collections.Counter(case.want))
        self.assertEqual(shown(by_server), collections.Counter(case.served))
        self.check_parents(case, by_client, by_server)
        self.before = self.scrape.body_sizes(), self.daemon.counters()
        grown = self.before[0] - sizes
        for message, expected in (("request", case.up), ("response", case.down)):
            if expected is not None:
                self.assertEqual([grown["client", message], grown["server", message]], [expected] * 2, message)
        marks = [sum(one.attributes.get(key) is True for one in found)
                 for key in ("probed.http.head_truncated", "probed.http.framing_conflict")]
        self.assertEqual(marks, [2 * case.cut, 2 * case.conflict])
        losses = {name[1]: value - counters.get(name, 0) for name, value in self.before[1].items()
                  if name[1] in LOSSES and value != counters.get(name, 0)}
        if case.cut or case.gaps:  # what comes of the head after the cut is a record without a place
            losses.pop("undecodable.gap", None)
        self.assertEqual(losses, {"undecodable.truncated": 2 * case.cut} if case.cut else {})

    def check_parents(self, case, by_client, by_server):
        for span in by_server:
            (other,) = [one for one in by_client if target(one).strip("*/") == target(span).strip("*/")]
            self.assertEqual((span.trace_id, span.parent_id), (other.trace_id, other.span_id))
        for span in by_client:
            traced = case.continued and not span.path.endswith("/then")
            self.assertEqual(span.parent_id, PARENT if traced else "")
            self.assertEqual(span.trace_id == TRACE, traced)

    def test_calls(self):
        self.play(call_cases())

    def test_bodies(self):
        self.play({**no_body_cases(), **body_cases(), **chunk_cases()})

    def test_oddities(self):
        self.play({**interim_cases(), **odd_cases(), **framing_cases()})

    def test_heads(self):
        self.play({**head_cases(4096, (1000, 1100, 4000, 6000, 60_000), ("sendall", "apart", "writev")), **long_chunked_head(),
                   **fakes_after_a_cut_head(5000), **context_cases((200, 1000, 1500, 3000, 3900))})

    def test_heads_with_a_large_capture(self):
        self.play({**head_cases(16384, (1100, 6000, 16_000, 20_000)), **long_chunked_head(),
                   **fakes_after_a_cut_head(17_000), **context_cases((1500, 4200, 9000, 16_000))}, capture=16384)

    def test_heads_with_a_small_capture(self):
        self.play({**head_cases(256, (200, 400, 700, 3000)), **fakes_after_a_cut_head(1000), **context_cases((150,))},
                  capture=256)


def conversations_of_the_corpus(times):
    """What the fuzzer's files say, each as it is and damaged in so many ways: (control, length, bytes) records."""
    chance = random.Random(7)
    for path in sorted(CORPUS.iterdir()):
        for damage in range(times):
            data, steps, at = bytearray(path.read_bytes()), [], 0
            while at + 2 <= len(data):
                size = data[at + 1] * (16 if data[at] & 0x80 else 1)
                text = data[at + 2:at + 2 + size]
                for _ in range(damage and len(text) // 20 + 1):
                    if text:
                        text[chance.randrange(len(text))] = chance.choice(b" \r\n:,;0129HT\x00\xff")
                if text:
                    steps.append((server if data[at] & 1 else client)(text.decode("latin-1"), pause=bool(damage % 2)))
                at += 2 + size
            yield steps


class Corpus(LiveCase):
    def test_malformed_conversations(self):
        """Nothing is told that was not said, and whatever came of it, the next connection is seen."""
        scripts = [*conversations_of_the_corpus(8), [client(get("/last")), server(ok("x"))]]
        path = self.folder / "scripts.json"
        path.write_text(json.dumps(scripts))
        port = free_port()
        self.spawn([peers.PYTHON, raw_peer.__file__, port, path])
        wait_for("the server", lambda: accepts(port))
        daemon = self.run_daemon(port)
        for steps in scripts:
            raw_peer.Player(peers.connect(port), raw_peer.CLIENT).play(steps)
        daemon.wait_spans(2, path="/last")
        said = "".join(step["text"] for steps in scripts for step in steps)
        for span in daemon.spans():
            status = span.attributes.get("http.response.status_code")
            self.assertTrue(status is None or f" {status}" in said, span)
            method = span.attributes.get("http.request.method_original", span.attributes["http.request.method"])
            self.assertIn(f"{method} ", said)
        self.assertGreater(len(daemon.spans()), len(scripts) // 2)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])
        self.assertEqual(daemon.counters()[("module:http", "streams")], 0)


class Compat(LiveCase):
    def test_32_bit_calls_are_counted_and_nothing_is_made_up(self):
        """Their registers do not say where the bytes are. The other end shows what was asked."""
        if platform.machine() != "x86_64":
            self.skipTest("not on this architecture")
        client = peers.build_c(self, "compat_client", "-no-pie")
        port, _ = peers.python_server(self)
        daemon = self.run_daemon(port)
        before = daemon.counters()
        done = subprocess.run([client, str(port), "10"], timeout=30)
        if done.returncode == 3:
            print(f"SKIPPED: {self.id()}: the kernel has no 32-bit system calls")
            self.skipTest("the kernel has no 32-bit system calls")
        self.assertEqual(done.returncode, 0)
        daemon.wait_spans(10, settle=0.5)
        self.assertEqual([(span.kind, span.path) for span in daemon.spans()],
                         [(SERVER, f"/bytes/{number}") for number in range(1, 11)])
        counters = daemon.counters()
        said = [(scope, name) for scope, name in counters if name in ("unreadable", "unclassified")]
        self.assertGreaterEqual(sum(counters[key] - before.get(key, 0) for key in said if key[0] != "kernel" or
                                    key[1] == "unclassified"), 10)
        self.assertTrue(daemon.ctl_json("ledger")["closes"])


if __name__ == "__main__":
    unittest.main()
