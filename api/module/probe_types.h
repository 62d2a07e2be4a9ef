/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * Value types that cross the module ABI in both directions: strings, results, attributes, spans, records.
 * Plain C11 and C++20. No function is declared here (probe_module.h: host calls module; probe_host.h: module
 * calls host). Rules of change: COMPAT.md. Times are CLOCK_MONOTONIC nanoseconds ("ktime") unless a name says
 * otherwise.
 */
#ifndef PROBED_PROBE_TYPES_H
#define PROBED_PROBE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Major must be equal on both sides; minor counts appended fields and functions. */
enum { PROBE_ABI_MAJOR = 1, PROBE_ABI_MINOR = 1 };

/* Bytes that somebody else owns. Not NUL-terminated. LIFETIME: the call, unless the field says otherwise. */
typedef struct probe_str {
  const char *ptr;
  size_t len;
} probe_str_t;

/* What a call came to. Negative values are failures; the text of a failure travels beside it. */
typedef int32_t probe_result_t;
enum probe_result {
  PROBE_OK = 0,
  PROBE_INVALID = -1,     /* the caller's input is wrong (configuration, arguments) */
  PROBE_NO_MEMORY = -2,   /* the bounded memory of the stream, module or shard is used up */
  PROBE_UNSUPPORTED = -3, /* this build or this kernel cannot do it */
  PROBE_INTERNAL = -4,    /* an exception or a broken invariant inside the module */
};

/* Which bytes a stream carries: those on the socket, or those a TLS library hands to its caller. */
enum probe_layer { PROBE_LAYER_RAW = 0, PROBE_LAYER_PLAINTEXT = 1 };

/* As seen from the traced process. */
enum probe_direction { PROBE_RECEIVED = 0, PROBE_SENT = 1 };

/* Address families of probe_endpoint. UNIX carries no address bytes. */
enum probe_family { PROBE_FAMILY_NONE = 0, PROBE_FAMILY_UNIX = 1, PROBE_FAMILY_INET = 2, PROBE_FAMILY_INET6 = 10 };

typedef struct probe_endpoint {
  uint8_t address[16]; /* network order; IPv4 in the first four bytes */
  uint16_t port;       /* host order */
  uint8_t family;      /* enum probe_family */
  uint8_t reserved[5];
} probe_endpoint_t;

/* A reference to the request a thread was handling: bytes of stream (cookie, layer) received at `offset`.
 * cookie 0: none. Source: capture design, "Causality". */
typedef struct probe_cause {
  uint64_t cookie;
  uint64_t offset;
  uint8_t layer;
  uint8_t reserved[7];
} probe_cause_t;

/* First record of a stream, and the first again for each new owner. */
typedef struct probe_open {
  uint32_t struct_size;
  uint32_t tgid;
  uint64_t tgid_start_ns; /* start of the process, CLOCK_BOOTTIME: tells a reused pid */
  uint64_t cookie;
  uint64_t cgroup_id;
  uint64_t ktime_ns;
  probe_endpoint_t local;
  probe_endpoint_t peer;
  uint32_t netns;
  uint16_t transport; /* IPPROTO_*; 0 for unix sockets */
  uint8_t layer;
  uint8_t from_start; /* 1: the stream was seen from its first byte (OPEN at connect or accept) */
} probe_open_t;

/* Bytes of a stream in order. `captured` bytes of `total` are at `bytes`; the rest was left in the kernel.
 * A hole between one segment's offset + captured and the next one's offset is announced by on_gap first. */
typedef struct probe_segment {
  uint32_t struct_size;
  uint32_t generation; /* configuration generation the kernel side ran under */
  uint64_t ktime_ns;
  uint64_t cookie;
  uint64_t offset; /* of the first captured byte, from the first byte seen in this direction */
  uint32_t total;
  uint32_t captured;
  uint32_t thread_id;
  uint32_t tgid;
  uint32_t wire_sequence; /* TCP sequence number of `offset`: equal at both ends of a connection; 0 if none */
  uint8_t layer;
  uint8_t direction; /* enum probe_direction */
  uint8_t flags;     /* enum probe_segment_flag */
  uint8_t hint;      /* what the module's own kernel program noted, its own meaning */
  probe_cause_t cause;
  const uint8_t *bytes;
} probe_segment_t;

enum probe_segment_flag {
  PROBE_SEGMENT_TRUNCATED = 1,  /* the capture limit cut a part the module wanted */
  PROBE_SEGMENT_UNREADABLE = 2, /* the bytes were not in user memory (sendfile, splice, io_uring, not resident) */
  PROBE_SEGMENT_SKIPPED = 4,    /* left out on purpose (body) */
};

/* A datagram: whole or cut, never joined with another. peer.family NONE: unknown. */
typedef struct probe_datagram {
  uint32_t struct_size;
  uint32_t generation;
  uint64_t ktime_ns;
  uint64_t cookie;
  uint32_t total;
  uint32_t captured;
  uint32_t thread_id;
  uint32_t tgid;
  uint8_t direction;
  uint8_t flags;
  uint8_t reserved[6];
  probe_endpoint_t peer;
  probe_cause_t cause;
  const uint8_t *bytes;
} probe_datagram_t;

/* A record of a hook that has no socket (uprobe of an attach plan, kernel tracepoint). `kind` and the bytes are the
 * module's own layout. */
typedef struct probe_event {
  uint32_t struct_size;
  uint32_t generation;
  uint64_t ktime_ns;
  uint32_t kind;
  uint32_t size;
  uint32_t thread_id;
  uint32_t tgid;
  uint64_t tgid_start_ns;
  probe_cause_t cause;
  const uint8_t *bytes;
} probe_event_t;

enum probe_close_reason {
  PROBE_CLOSE_LOCAL = 0,       /* the traced process closed or shut down sending */
  PROBE_CLOSE_PEER = 1,        /* end of stream was read */
  PROBE_CLOSE_RESET = 2,       /* connection reset */
  PROBE_CLOSE_TIMEOUT = 3,     /* the kernel gave the connection up */
  PROBE_CLOSE_HANDED_OVER = 4, /* another module owns the rest */
  PROBE_CLOSE_EVICTED = 5,     /* the host needed the memory; already in the ledger */
  PROBE_CLOSE_UNLOAD = 6,      /* the module is being unloaded */
};

/* --- what a module emits ------------------------------------------------------------------------------------ */

enum probe_attribute_type {
  PROBE_ATTR_STRING = 1,
  PROBE_ATTR_INT = 2,
  PROBE_ATTR_DOUBLE = 3,
  PROBE_ATTR_BOOL = 4,
  PROBE_ATTR_STRINGS = 5, /* array of strings */
};

/* `key` is an id from probe_host.intern_key. Strings need not be UTF-8: the host replaces what is not. */
typedef struct probe_attribute {
  uint32_t key;
  uint32_t type; /* enum probe_attribute_type */
  union {
    probe_str_t string;
    int64_t integer;
    double number;
    uint8_t boolean;
    struct {
      const probe_str_t *items;
      size_t count;
    } strings;
  } value;
} probe_attribute_t;

enum probe_span_kind {
  PROBE_SPAN_INTERNAL = 1,
  PROBE_SPAN_SERVER = 2,
  PROBE_SPAN_CLIENT = 3,
  PROBE_SPAN_PRODUCER = 4,
  PROBE_SPAN_CONSUMER = 5
};

enum probe_span_status { PROBE_STATUS_UNSET = 0, PROBE_STATUS_ERROR = 2 };

/* A W3C trace context found in the bytes. state: the raw tracestate, already joined. */
typedef struct probe_trace_context {
  uint8_t trace_id[16];
  uint8_t span_id[8];
  uint8_t flags;
  uint8_t valid; /* 0: nothing found; the other fields mean nothing */
  uint8_t reserved[6];
  probe_str_t state;
} probe_trace_context_t;

/* The beginning of an exchange: reported as soon as the request is recognised, so that requests made while it is being
 * handled find their parent. */
typedef struct probe_exchange {
  uint32_t struct_size;
  uint32_t kind; /* enum probe_span_kind */
  uint64_t start_ns;
  uint64_t cookie;
  uint64_t offset;        /* of the request's first byte in its direction */
  uint64_t end_offset;    /* of the first byte after what is known of it (at least its head) */
  uint32_t wire_sequence; /* of the request's first byte; with the address pair it joins both ends. 0: none */
  uint8_t layer;
  uint8_t reserved[3];
  probe_cause_t cause;
  probe_trace_context_t remote;
} probe_exchange_t;

/* One value for an instrument of the manifest, recorded with those of the span's attributes the instrument lists. */
typedef struct probe_measurement {
  uint32_t instrument; /* id from probe_host.intern_instrument */
  uint32_t reserved;
  double value;
} probe_measurement_t;

typedef struct probe_span {
  uint32_t struct_size;
  uint32_t kind;
  uint64_t exchange; /* id from probe_host.exchange_begin; the span's ids and parent come from it */
  probe_str_t name;
  uint64_t start_ns;
  uint64_t end_ns;
  uint32_t status; /* enum probe_span_status */
  uint32_t attribute_count;
  const probe_attribute_t *attributes;
  probe_str_t error_type; /* empty: none; else becomes error.type of span and measurements */
  const probe_measurement_t *measurements;
  size_t measurement_count;
  const probe_trace_context_t *links;
  size_t link_count;
  /* Since 1.1. Not 0: the first `constant_count` attributes, keys, values and order, are those of every span of this
   * stream that gives this number. The host may then keep what it made of them; it still gets all of them, and may
   * forget. A stream that needs other ones takes another number. */
  uint32_t constant_set;
  uint32_t constant_count;
} probe_span_t;

/* A value without a span (kernel signals). */
typedef struct probe_metric_point {
  uint32_t struct_size;
  uint32_t instrument;
  double value;
  uint32_t tgid; /* 0: host-wide */
  uint32_t attribute_count;
  const probe_attribute_t *attributes;
} probe_metric_point_t;

typedef struct probe_log {
  uint32_t struct_size;
  uint32_t severity; /* SeverityNumber of OTLP, 1..24 */
  uint64_t ktime_ns;
  uint64_t exchange; /* 0: none */
  uint32_t tgid;
  uint32_t attribute_count;
  const probe_attribute_t *attributes;
  probe_str_t event_name;
  probe_str_t body;
} probe_log_t;

/* Why a record or an exchange did not become a span. The ledger has one line per reason and module. */
enum probe_reason {
  PROBE_IGNORED_BODY = 0,          /* record: bytes of a body, needed by nobody */
  PROBE_IGNORED_CONFIGURED = 1,    /* record or exchange: an ignore rule of the configuration */
  PROBE_IGNORED_AFTER_UPGRADE = 2, /* record: the connection speaks another protocol now */
  PROBE_UNDECODABLE_MALFORMED = 3, /* record: not the protocol's grammar */
  PROBE_UNDECODABLE_GAP = 4,       /* record: follows a hole, no boundary found yet */
  PROBE_UNDECODABLE_TRUNCATED = 5, /* record: the part needed was beyond the capture limit */
  PROBE_ABORTED_CLOSE = 6, /* exchange: closed by a span that says so is no abort; this one had too little for a span */
  PROBE_ABORTED_GAP = 7,   /* exchange: bytes of it were lost */
  PROBE_ABORTED_UNMATCHED = 8, /* exchange: a response without its request, or one that need not be answered */
  PROBE_ABORTED_UNLOAD = 9,    /* exchange: still open when the module was unloaded */
  PROBE_EVICTED_MEMORY = 10,   /* exchange: the host's bound on memory */
  PROBE_REASON_COUNT = 11,
};

#ifdef __cplusplus
}
#endif
#endif
