# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Spans as the file sink writes them: one OTLP/JSON message a line."""

import dataclasses
import json

SERVER = 2
CLIENT = 3
PRODUCER = 4


def plain(value):
    """An OTLP AnyValue as a Python value."""
    kind, inner = next(iter(value.items()), (None, None))
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [plain(item) for item in inner.get("values", [])]
    if kind == "kvlistValue":
        return attributes(inner.get("values", []))
    return inner


def attributes(items):
    return {item["key"]: plain(item.get("value", {})) for item in items}


@dataclasses.dataclass
class Span:
    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict
    resource: dict
    status: dict
    trace_state: str = ""
    links: list = dataclasses.field(default_factory=list)  # (trace id, span id)
    scope: str = ""  # probed.<module>

    @property
    def milliseconds(self):
        return (self.end_ns - self.start_ns) / 1e6

    @property
    def path(self):
        """The path of either end."""
        if "url.path" in self.attributes:
            return self.attributes["url.path"]
        rest = self.attributes.get("url.full", "").partition("://")[2]
        return "/" + rest.partition("/")[2].partition("?")[0]

    def matches(self, criteria):
        for key, wanted in criteria.items():
            found = getattr(self, key) if hasattr(self, key) else self.attributes.get(key.replace("__", "."))
            if found != wanted:
                return False
        return True


def spans_of(message):
    for resource_spans in message.get("resourceSpans", []):
        resource = attributes(resource_spans.get("resource", {}).get("attributes", []))
        for scope_spans in resource_spans.get("scopeSpans", []):
            for span in scope_spans.get("spans", []):
                yield Span(span["name"], span["kind"], span["traceId"], span["spanId"], span.get("parentSpanId", ""),
                           int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]),
                           attributes(span.get("attributes", [])), resource, span.get("status", {}),
                           span.get("traceState", ""),
                           [(link["traceId"], link["spanId"]) for link in span.get("links", [])],
                           scope_spans.get("scope", {}).get("name", ""))


class SpanFile:
    """Reads only what was appended since the last look; an unfinished line is left for the next one."""

    def __init__(self, path):
        self.path = path
        self._offset = 0
        self._spans = []

    def read(self):
        if self.path.exists():
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    self._spans.extend(spans_of(json.loads(line)))
        return self._spans
