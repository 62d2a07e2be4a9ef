/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a module may ask of the host. The host hands this table to probe_module_entry.create; it lives until destroy
 * returns. Every function says: purpose, [thread], OWNERSHIP, LIFETIME, errors. None blocks, none throws.
 */
#ifndef PROBED_PROBE_HOST_H
#define PROBED_PROBE_HOST_H

#include "probe_types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct probe_host_context probe_host_context_t;   /* the module as the host sees it */
typedef struct probe_shard_context probe_shard_context_t; /* one shard of it */
typedef struct probe_stream probe_stream_t;               /* one stream (socket x layer) of a shard */

enum probe_log_level { PROBE_LOG_DEBUG = 0, PROBE_LOG_INFO = 1, PROBE_LOG_WARN = 2, PROBE_LOG_ERROR = 3 };

typedef struct probe_host {
  uint32_t struct_size;
  uint32_t abi_minor;
  probe_host_context_t *context;

  /* Id of an attribute key, the same for the same text until the module is destroyed. [control]
   * OWNERSHIP: the text is copied. Errors: 0 when the table is full. */
  uint32_t (*intern_key)(probe_host_context_t *context, probe_str_t key);

  /* Id of an instrument that the manifest declares. [control] Errors: 0 when the manifest has none of that name. */
  uint32_t (*intern_instrument)(probe_host_context_t *context, probe_str_t name);

  /* One line for the daemon's log, rate-limited by the host. [any] OWNERSHIP: copied. */
  void (*log)(probe_host_context_t *context, uint32_t level, probe_str_t text);

  /* An ability by string id, or NULL. [control] LIFETIME: until destroy. */
  const void *(*get_extension)(probe_host_context_t *context, probe_str_t id);

  /* Memory of a stream, zeroed, counted against the stream's and the module's bound. [shard]
   * OWNERSHIP: the host's; free it with stream_free or leave it to the end of the stream. Errors: NULL at the bound. */
  void *(*stream_alloc)(probe_stream_t *stream, size_t size);
  void (*stream_free)(probe_stream_t *stream, void *memory, size_t size);

  /* Opens an exchange. [shard] Returns its id (never 0). Counts `opened`; emit_span or exchange_abort ends it.
   * OWNERSHIP: copied. */
  uint64_t (*exchange_begin)(probe_stream_t *stream, const probe_exchange_t *exchange);

  /* Ends an exchange as a span. [shard] OWNERSHIP: everything is copied before it returns.
   * Errors: PROBE_INVALID when the exchange is unknown. */
  probe_result_t (*emit_span)(probe_stream_t *stream, const probe_span_t *span);

  /* Ends an exchange without a span. [shard] reason: an ABORTED, EVICTED or IGNORED value. */
  void (*exchange_abort)(probe_stream_t *stream, uint64_t exchange, uint32_t reason);

  /* What became of the record now being decoded, if not `used`: call at most once per on_* call. [shard] */
  void (*count)(probe_stream_t *stream, uint32_t reason);

  /* The stream does not speak this protocol: the kernel ships no more of it and offers it to the other modules from its
   * next bytes on, never again to this one. [shard] on_close with HANDED_OVER follows the call in which it was said. */
  void (*not_mine)(probe_stream_t *stream);

  /* Gives the stream from `offset` (of the received direction) on to the module named, or to whoever claims it when the
   * name is empty. [shard] The caller gets no more segments of it; on_close with HANDED_OVER follows. What was captured
   * beyond `offset` before the kernel heard of it is counted, and the heir sees it as a gap.
   * Errors: PROBE_INVALID when no module of that name is loaded, or the stream was given away already;
   * PROBE_UNSUPPORTED for plaintext and for the shard's own stream. The stream then stays the caller's. */
  probe_result_t (*hand_over)(probe_stream_t *stream, uint64_t offset, probe_str_t module_name);

  /* A measurement or a log line that belongs to no exchange. [shard] OWNERSHIP: copied. */
  void (*emit_metric)(probe_shard_context_t *shard, const probe_metric_point_t *point);
  void (*emit_log)(probe_shard_context_t *shard, const probe_log_t *log);

  /* Spans of events without a stream. exchange_begin/emit_span/exchange_abort with the shard's own pseudo-stream.
   * [shard] LIFETIME: until shard_stop. */
  probe_stream_t *(*shard_stream)(probe_shard_context_t *shard);

  /* The OPEN record of a stream, NULL before it came (its segments are then still delivered). [shard] LIFETIME: the
   * call. */
  const probe_open_t *(*stream_open)(const probe_stream_t *stream);

  /* 1 if the calling thread is the one the tag names ("control", "shard"). [any] For assertions. */
  int32_t (*on_thread)(probe_host_context_t *context, probe_str_t tag);
} probe_host_t;

/* Extension "probed.clock/1" of the host: a module has no clock of its own, records carry theirs. For what is compared
 * with dates in the bytes. */
typedef struct probe_clock {
  uint32_t struct_size;
  uint32_t reserved;
  /* CLOCK_REALTIME now, in nanoseconds. [any] Errors: none. */
  uint64_t (*utc_ns)(probe_host_context_t *context);
} probe_clock_t;

#define PROBE_EXTENSION_CLOCK "probed.clock/1"

/* Extension "probed.unread/1" of the host: what a module knows to be there and cannot look into, TLS of a library
 * without symbols say. The host counts and names the processes that have no probes of the module (`no_symbols`). */
typedef struct probe_unread {
  uint32_t struct_size;
  uint32_t reserved;
  /* The process at this end of the stream is such a one. [shard] May be said again and again. Errors: none. */
  void (*process)(probe_stream_t *stream);
} probe_unread_t;

#define PROBE_EXTENSION_UNREAD "probed.unread/1"

/* Extension "probed.plaintext/1" of the host: plaintext has no sequence numbers by which the two ends of a connection
 * could be joined. Its offsets are as good, where both ends count from its first byte. */
typedef struct probe_plaintext {
  uint32_t struct_size;
  uint32_t reserved;
  /* To be said of a stream of the raw layer, before the first byte of the plaintext that goes over its socket came: all
   * of that plaintext is seen. [shard] `name`: 32 bytes that are the same at both ends of this connection and that no
   * other has (of TLS: the random of the ClientHello). OWNERSHIP: copied. LIFETIME: that of the stream. Errors: none.
   */
  void (*whole)(probe_stream_t *stream, const uint8_t *name);
} probe_plaintext_t;

#define PROBE_EXTENSION_PLAINTEXT "probed.plaintext/1"
enum { PROBE_PLAINTEXT_NAME_BYTES = 32 };

#ifdef __cplusplus
}
#endif
#endif
