// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_schema.h"

namespace probed::exporter {
namespace {

using enum JsonType;
constexpr bool kMany = true;

// AnyValue, ArrayValue, KeyValueList and KeyValue contain each other.
extern const MessageTable kAnyValue;
extern const MessageTable kKeyValue;

const FieldRow kArrayValueRows[] = {{1, "values", kMessage, kMany, &kAnyValue}};
const MessageTable kArrayValue{"opentelemetry.proto.common.v1.ArrayValue", kArrayValueRows};

const FieldRow kKeyValueListRows[] = {{1, "values", kMessage, kMany, &kKeyValue}};
const MessageTable kKeyValueList{"opentelemetry.proto.common.v1.KeyValueList", kKeyValueListRows};

const FieldRow kAnyValueRows[] = {
    {1, "stringValue", kText},
    {2, "boolValue", kBool},
    {3, "intValue", kInt64},
    {4, "doubleValue", kDouble},
    {5, "arrayValue", kMessage, false, &kArrayValue},
    {6, "kvlistValue", kMessage, false, &kKeyValueList},
    {7, "bytesValue", kBase64},
};
const MessageTable kAnyValue{"opentelemetry.proto.common.v1.AnyValue", kAnyValueRows};

const FieldRow kKeyValueRows[] = {{1, "key", kText}, {2, "value", kMessage, false, &kAnyValue}};
const MessageTable kKeyValue{"opentelemetry.proto.common.v1.KeyValue", kKeyValueRows};

const FieldRow kScopeRows[] = {
    {1, "name", kText},
    {2, "version", kText},
    {3, "attributes", kMessage, kMany, &kKeyValue},
    {4, "droppedAttributesCount", kInt32},
};
const MessageTable kScope{"opentelemetry.proto.common.v1.InstrumentationScope", kScopeRows};

const FieldRow kResourceRows[] = {
    {1, "attributes", kMessage, kMany, &kKeyValue},
    {2, "droppedAttributesCount", kInt32},
};
const MessageTable kResource{"opentelemetry.proto.resource.v1.Resource", kResourceRows};

// --- traces ----------------------------------------------------------------------------------------------------------

const FieldRow kEventRows[] = {
    {1, "timeUnixNano", kFixed64},
    {2, "name", kText},
    {3, "attributes", kMessage, kMany, &kKeyValue},
    {4, "droppedAttributesCount", kInt32},
};
const MessageTable kEvent{"opentelemetry.proto.trace.v1.Span.Event", kEventRows};

const FieldRow kLinkRows[] = {
    {1, "traceId", kHex},
    {2, "spanId", kHex},
    {3, "traceState", kText},
    {4, "attributes", kMessage, kMany, &kKeyValue},
    {5, "droppedAttributesCount", kInt32},
    {6, "flags", kFixed32},
};
const MessageTable kLink{"opentelemetry.proto.trace.v1.Span.Link", kLinkRows};

const FieldRow kStatusRows[] = {{2, "message", kText}, {3, "code", kInt32}};
const MessageTable kStatus{"opentelemetry.proto.trace.v1.Status", kStatusRows};

const FieldRow kSpanRows[] = {
    {1, "traceId", kHex},
    {2, "spanId", kHex},
    {3, "traceState", kText},
    {4, "parentSpanId", kHex},
    {16, "flags", kFixed32},
    {5, "name", kText},
    {6, "kind", kInt32},
    {7, "startTimeUnixNano", kFixed64},
    {8, "endTimeUnixNano", kFixed64},
    {9, "attributes", kMessage, kMany, &kKeyValue},
    {10, "droppedAttributesCount", kInt32},
    {11, "events", kMessage, kMany, &kEvent},
    {12, "droppedEventsCount", kInt32},
    {13, "links", kMessage, kMany, &kLink},
    {14, "droppedLinksCount", kInt32},
    {15, "status", kMessage, false, &kStatus},
};
const MessageTable kSpan{"opentelemetry.proto.trace.v1.Span", kSpanRows};

const FieldRow kScopeSpansRows[] = {
    {1, "scope", kMessage, false, &kScope},
    {2, "spans", kMessage, kMany, &kSpan},
    {3, "schemaUrl", kText},
};
const MessageTable kScopeSpans{"opentelemetry.proto.trace.v1.ScopeSpans", kScopeSpansRows};

const FieldRow kResourceSpansRows[] = {
    {1, "resource", kMessage, false, &kResource},
    {2, "scopeSpans", kMessage, kMany, &kScopeSpans},
    {3, "schemaUrl", kText},
};
const MessageTable kResourceSpans{"opentelemetry.proto.trace.v1.ResourceSpans", kResourceSpansRows};

const FieldRow kTracesDataRows[] = {{1, "resourceSpans", kMessage, kMany, &kResourceSpans}};
const MessageTable kTracesData{"opentelemetry.proto.trace.v1.TracesData", kTracesDataRows};

// --- metrics ---------------------------------------------------------------------------------------------------------

const FieldRow kExemplarRows[] = {
    {2, "timeUnixNano", kFixed64}, {3, "asDouble", kDouble}, {4, "spanId", kHex},
    {5, "traceId", kHex},          {6, "asInt", kSfixed64},  {7, "filteredAttributes", kMessage, kMany, &kKeyValue},
};
const MessageTable kExemplar{"opentelemetry.proto.metrics.v1.Exemplar", kExemplarRows};

const FieldRow kNumberPointRows[] = {
    {7, "attributes", kMessage, kMany, &kKeyValue},
    {2, "startTimeUnixNano", kFixed64},
    {3, "timeUnixNano", kFixed64},
    {4, "asDouble", kDouble},
    {6, "asInt", kSfixed64},
    {5, "exemplars", kMessage, kMany, &kExemplar},
    {8, "flags", kInt32},
};
const MessageTable kNumberPoint{"opentelemetry.proto.metrics.v1.NumberDataPoint", kNumberPointRows};

const FieldRow kHistogramPointRows[] = {
    {9, "attributes", kMessage, kMany, &kKeyValue},
    {2, "startTimeUnixNano", kFixed64},
    {3, "timeUnixNano", kFixed64},
    {4, "count", kFixed64},
    {5, "sum", kDouble},
    {6, "bucketCounts", kFixed64, kMany},
    {7, "explicitBounds", kDouble, kMany},
    {8, "exemplars", kMessage, kMany, &kExemplar},
    {10, "flags", kInt32},
    {11, "min", kDouble},
    {12, "max", kDouble},
};
const MessageTable kHistogramPoint{"opentelemetry.proto.metrics.v1.HistogramDataPoint", kHistogramPointRows};

const FieldRow kBucketsRows[] = {{1, "offset", kSint32}, {2, "bucketCounts", kUint64, kMany}};
const MessageTable kBuckets{"opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint.Buckets", kBucketsRows};

const FieldRow kExponentialPointRows[] = {
    {1, "attributes", kMessage, kMany, &kKeyValue},
    {2, "startTimeUnixNano", kFixed64},
    {3, "timeUnixNano", kFixed64},
    {4, "count", kFixed64},
    {5, "sum", kDouble},
    {6, "scale", kSint32},
    {7, "zeroCount", kFixed64},
    {8, "positive", kMessage, false, &kBuckets},
    {9, "negative", kMessage, false, &kBuckets},
    {10, "flags", kInt32},
    {11, "exemplars", kMessage, kMany, &kExemplar},
    {12, "min", kDouble},
    {13, "max", kDouble},
    {14, "zeroThreshold", kDouble},
};
const MessageTable kExponentialPoint{"opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint",
                                     kExponentialPointRows};

const FieldRow kGaugeRows[] = {{1, "dataPoints", kMessage, kMany, &kNumberPoint}};
const MessageTable kGauge{"opentelemetry.proto.metrics.v1.Gauge", kGaugeRows};

const FieldRow kSumRows[] = {
    {1, "dataPoints", kMessage, kMany, &kNumberPoint},
    {2, "aggregationTemporality", kInt32},
    {3, "isMonotonic", kBool},
};
const MessageTable kSum{"opentelemetry.proto.metrics.v1.Sum", kSumRows};

const FieldRow kHistogramRows[] = {
    {1, "dataPoints", kMessage, kMany, &kHistogramPoint},
    {2, "aggregationTemporality", kInt32},
};
const MessageTable kHistogram{"opentelemetry.proto.metrics.v1.Histogram", kHistogramRows};

const FieldRow kExponentialRows[] = {
    {1, "dataPoints", kMessage, kMany, &kExponentialPoint},
    {2, "aggregationTemporality", kInt32},
};
const MessageTable kExponential{"opentelemetry.proto.metrics.v1.ExponentialHistogram", kExponentialRows};

const FieldRow kMetricRows[] = {
    {1, "name", kText},
    {2, "description", kText},
    {3, "unit", kText},
    {5, "gauge", kMessage, false, &kGauge},
    {7, "sum", kMessage, false, &kSum},
    {9, "histogram", kMessage, false, &kHistogram},
    {10, "exponentialHistogram", kMessage, false, &kExponential},
    {12, "metadata", kMessage, kMany, &kKeyValue},
};
const MessageTable kMetric{"opentelemetry.proto.metrics.v1.Metric", kMetricRows};

const FieldRow kScopeMetricsRows[] = {
    {1, "scope", kMessage, false, &kScope},
    {2, "metrics", kMessage, kMany, &kMetric},
    {3, "schemaUrl", kText},
};
const MessageTable kScopeMetrics{"opentelemetry.proto.metrics.v1.ScopeMetrics", kScopeMetricsRows};

const FieldRow kResourceMetricsRows[] = {
    {1, "resource", kMessage, false, &kResource},
    {2, "scopeMetrics", kMessage, kMany, &kScopeMetrics},
    {3, "schemaUrl", kText},
};
const MessageTable kResourceMetrics{"opentelemetry.proto.metrics.v1.ResourceMetrics", kResourceMetricsRows};

const FieldRow kMetricsDataRows[] = {{1, "resourceMetrics", kMessage, kMany, &kResourceMetrics}};
const MessageTable kMetricsData{"opentelemetry.proto.metrics.v1.MetricsData", kMetricsDataRows};

// --- logs ------------------------------------------------------------------------------------------------------------

const FieldRow kLogRecordRows[] = {
    {1, "timeUnixNano", kFixed64},
    {11, "observedTimeUnixNano", kFixed64},
    {2, "severityNumber", kInt32},
    {3, "severityText", kText},
    {12, "eventName", kText},
    {5, "body", kMessage, false, &kAnyValue},
    {6, "attributes", kMessage, kMany, &kKeyValue},
    {7, "droppedAttributesCount", kInt32},
    {8, "flags", kFixed32},
    {9, "traceId", kHex},
    {10, "spanId", kHex},
};
const MessageTable kLogRecord{"opentelemetry.proto.logs.v1.LogRecord", kLogRecordRows};

const FieldRow kScopeLogsRows[] = {
    {1, "scope", kMessage, false, &kScope},
    {2, "logRecords", kMessage, kMany, &kLogRecord},
    {3, "schemaUrl", kText},
};
const MessageTable kScopeLogs{"opentelemetry.proto.logs.v1.ScopeLogs", kScopeLogsRows};

const FieldRow kResourceLogsRows[] = {
    {1, "resource", kMessage, false, &kResource},
    {2, "scopeLogs", kMessage, kMany, &kScopeLogs},
    {3, "schemaUrl", kText},
};
const MessageTable kResourceLogs{"opentelemetry.proto.logs.v1.ResourceLogs", kResourceLogsRows};

const FieldRow kLogsDataRows[] = {{1, "resourceLogs", kMessage, kMany, &kResourceLogs}};
const MessageTable kLogsData{"opentelemetry.proto.logs.v1.LogsData", kLogsDataRows};

}  // namespace

const MessageTable& DataTable(config::Signal signal) {
  switch (signal) {
    case config::Signal::kTraces: return kTracesData;
    case config::Signal::kMetrics: return kMetricsData;
    case config::Signal::kLogs: return kLogsData;
  }
  return kTracesData;
}

const MessageTable& ResourceTable() { return kResource; }
const MessageTable& ScopeTable() { return kScope; }

const MessageTable& ItemTable(config::Signal signal) {
  switch (signal) {
    case config::Signal::kTraces: return kSpan;
    case config::Signal::kMetrics: return kMetric;
    case config::Signal::kLogs: return kLogRecord;
  }
  return kSpan;
}

}  // namespace probed::exporter
