# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics as OTLP carries them, decoded by protobuf's own code made from the published .proto files."""

import dataclasses
import importlib
import pathlib
import subprocess
import sys
import tempfile

INCLUDE = pathlib.Path("/usr/include")
NEEDED = ("common/v1/common", "resource/v1/resource", "metrics/v1/metrics", "collector/metrics/v1/metrics_service")


@dataclasses.dataclass
class Point:
    """One data point of a histogram."""
    name: str
    unit: str
    cumulative: bool
    attributes: dict
    resource: dict
    count: int
    sum: float
    bounds: list
    buckets: list


def request_type():
    """ExportMetricsServiceRequest; None without protoc or the files."""
    if not (INCLUDE / "opentelemetry/proto/collector/metrics/v1/metrics_service.proto").exists():
        return None
    folder = tempfile.mkdtemp(prefix="probed-otlp.")
    files = [f"opentelemetry/proto/{name}.proto" for name in NEEDED]
    try:
        subprocess.run(["protoc", f"-I{INCLUDE}", f"--python_out={folder}", *files], check=True)
    except OSError:
        return None
    sys.path.insert(0, folder)
    module = importlib.import_module("opentelemetry.proto.collector.metrics.v1.metrics_service_pb2")
    return module.ExportMetricsServiceRequest


def plain(items):
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in items}


def histograms(body, kind):
    """All histogram points of one request."""
    message = kind.FromString(body)
    for resource_metrics in message.resource_metrics:
        resource = plain(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in metric.histogram.data_points:
                    yield Point(metric.name, metric.unit, metric.histogram.aggregation_temporality == 2,
                                plain(point.attributes), resource, point.count, point.sum, list(point.explicit_bounds),
                                list(point.bucket_counts))
