/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a module gives the host: one exported symbol, probe_module_entry. Every function is called by the host only,
 * on the thread its tag names, and never concurrently with itself for the same object. Everything is noexcept: an
 * exception that would leave a function is turned into PROBE_INTERNAL by the SDK's barrier.
 */
#ifndef PROBED_PROBE_MODULE_H
#define PROBED_PROBE_MODULE_H

#include "probe_host.h"
#include "probe_types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PROBE_MODULE_MAGIC UINT64_C(0x3165626f72705450) /* "PTprobe1", little-endian */
#define PROBE_MODULE_SYMBOL "probe_module_entry"

typedef struct probe_module probe_module_t; /* the module's own: one instance */
typedef struct probe_shard probe_shard_t;   /* the module's own: its state in one shard */
typedef struct probe_config probe_config_t; /* the module's own: a prepared configuration */

/* Where `prepare` reports what is wrong with a configuration. [control] path: dotted, as the user wrote it. */
typedef struct probe_error_sink {
  uint32_t struct_size;
  uint32_t reserved;
  void *context;
  void (*field)(void *context, probe_str_t path, probe_str_t message);
} probe_error_sink_t;

/* What the module's kernel programs read under a generation. `values` is the module's own layout. */
enum { PROBE_KERNEL_SETTINGS_MAX = 48 };
typedef struct probe_kernel_settings {
  uint32_t struct_size;
  uint32_t capture_bytes; /* how much of one message head the SDK ships, 64..16384 */
  uint8_t values[PROBE_KERNEL_SETTINGS_MAX];
} probe_kernel_settings_t;

typedef struct probe_module_entry {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint64_t magic;
  probe_str_t build_id; /* LIFETIME: the library */

  /* Makes the instance. [control] OWNERSHIP: the module's until destroy. Errors: any; nothing may stay behind. */
  probe_result_t (*create)(const probe_host_t *host, probe_module_t **out);
  /* [control] After the last shard_stop. */
  void (*destroy)(probe_module_t *module);
  /* A function table by id ("probed.attach/1"), or NULL. [control] LIFETIME: the instance. */
  const void *(*get_extension)(probe_module_t *module, probe_str_t id);

  /* Checks a configuration (JSON object, defaults of the schema already filled in) and prepares it. [control]
   * OWNERSHIP: *out is the module's; given back by commit or abort, exactly once. Errors: PROBE_INVALID with at least
   * one field reported. */
  probe_result_t (*prepare)(probe_module_t *module, probe_str_t json, const probe_error_sink_t *errors,
                            probe_config_t **out);
  /* The kernel side of a prepared configuration. [control] */
  void (*kernel_settings)(const probe_config_t *config, probe_kernel_settings_t *out);
  /* Makes it current under `generation`. Cannot fail, cannot block. [control] Shards learn it by shard_config. */
  void (*commit)(probe_module_t *module, probe_config_t *config, uint32_t generation);
  void (*abort)(probe_module_t *module, probe_config_t *config);

  /* [shard] */
  probe_result_t (*shard_start)(probe_module_t *module, uint32_t index, probe_shard_context_t *context,
                                probe_shard_t **out);
  void (*shard_stop)(probe_shard_t *shard);

  /* Optional, may be NULL: all [shard]. `state` is one word of the stream, NULL at first, the module's to use (memory
   * from stream_alloc). on_close is the last call for a stream. */
  void (*on_open)(probe_shard_t *shard, probe_stream_t *stream, void **state, const probe_open_t *open);
  void (*on_segment)(probe_shard_t *shard, probe_stream_t *stream, void **state, const probe_segment_t *segment);
  void (*on_gap)(probe_shard_t *shard, probe_stream_t *stream, void **state, uint8_t direction, uint64_t offset,
                 uint64_t length);
  void (*on_close)(probe_shard_t *shard, probe_stream_t *stream, void **state, uint32_t reason, uint64_t ktime_ns);
  void (*on_datagram)(probe_shard_t *shard, probe_stream_t *stream, void **state, const probe_datagram_t *datagram);
  void (*on_event)(probe_shard_t *shard, const probe_event_t *event);
  /* At most every 100 ms: while streams have open exchanges, and twice after the last record; else not at all. */
  void (*on_tick)(probe_shard_t *shard, uint64_t now_ns);
  /* Ends what is open, because the module goes or the daemon stops. */
  void (*flush)(probe_shard_t *shard, uint64_t deadline_ns);
  /* Lowest generation whose configuration an open exchange still needs; the host frees older ones by retire. */
  uint32_t (*oldest_generation)(const probe_shard_t *shard);
  /* [control] No shard needs a generation below `generation` any more. */
  void (*retire)(probe_module_t *module, uint32_t generation);
} probe_module_entry_t;

/* Extension "probed.attach/1": probe sites in programs and libraries, found by the module, attached by the host.
 * The host asks for each executable mapping of each target: at load, on exec, and when a library is mapped later. */
typedef struct probe_site {
  probe_str_t program;  /* name of the BPF program in the module's object */
  uint64_t file_offset; /* where in the ELF file */
  uint8_t is_return;    /* 1: at the return of the function that starts there */
  uint8_t reserved[7];
} probe_site_t;

typedef struct probe_attach {
  uint32_t struct_size;
  uint32_t reserved;
  /* [control] fd: readable, positioned anywhere, the host's. path: for messages only. emit may be called any number of
   * times; its argument is copied. Errors: PROBE_UNSUPPORTED when nothing in this file is of interest. */
  probe_result_t (*plan)(probe_module_t *module, int32_t fd, probe_str_t path, void *context,
                         void (*emit)(void *context, const probe_site_t *site));
} probe_attach_t;

#define PROBE_EXTENSION_ATTACH "probed.attach/1"

#ifdef __cplusplus
}
#endif
#endif
