/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Probes in programs and libraries: what an author writes for the sites of an attach plan ("probed.attach/1"), and how
 * such a probe ships a record of its own. Included by probed.bpf.h, which has PROBED_MODULE.
 *
 *   PROBED_UPROBE(foo_open) {
 *     struct foo_event event = {.flags = (__u32)probed_argument(registers, 2)};
 *     return probed_ship_event(probe, FOO_OPEN, &event, sizeof(event));
 *   }
 *
 * A probe runs in the traced thread and may be preempted and nested: whatever is counted here is counted atomically.
 */
#ifndef PROBED_SDK_UPROBE_BPF_H
#define PROBED_SDK_UPROBE_BPF_H

#include "bpf/include/rules.bpf.h"
#include "bpf/include/stream.bpf.h"

/* One call of a probe, with what its module needs. */
struct probed_uprobe {
  struct pb_control *control;
  struct pb_counters *line;
  const struct pb_settings *settings;
  void *ring;
  struct pb_verdict verdict;
  __u32 shipped;
  __u64 cookie; /* of the socket that an event is about */
};

static __always_inline void probed_count(__u64 *counter) { __sync_fetch_and_add(counter, 1); }

/* --- accessors for authors ----------------------------------------------------------------------------------- */

/* Argument 1..6 of the function a probe stands at the entry of. */
#if defined(__TARGET_ARCH_x86)
#define PROBED_ARGUMENT_1(registers) ((registers)->di)
#define PROBED_ARGUMENT_2(registers) ((registers)->si)
#define PROBED_ARGUMENT_3(registers) ((registers)->dx)
#define PROBED_ARGUMENT_4(registers) ((registers)->cx)
#define PROBED_ARGUMENT_5(registers) ((registers)->r8)
#define PROBED_ARGUMENT_6(registers) ((registers)->r9)
#define PROBED_RESULT(registers) ((registers)->ax)
#define PROBED_STACK(registers) ((registers)->sp)
#elif defined(__TARGET_ARCH_arm64)
#define PROBED_ARGUMENT_1(registers) ((registers)->regs[0])
#define PROBED_ARGUMENT_2(registers) ((registers)->regs[1])
#define PROBED_ARGUMENT_3(registers) ((registers)->regs[2])
#define PROBED_ARGUMENT_4(registers) ((registers)->regs[3])
#define PROBED_ARGUMENT_5(registers) ((registers)->regs[4])
#define PROBED_ARGUMENT_6(registers) ((registers)->regs[5])
#define PROBED_RESULT(registers) ((registers)->regs[0])
#define PROBED_STACK(registers) ((registers)->sp)
#endif
#define probed_argument(registers, number) ((__u64)PROBED_ARGUMENT_##number(registers))
/* What the function returned: at a site with is_return. */
#define probed_result(registers) ((__u64)PROBED_RESULT(registers))
/* Where the stack ends at the place of the probe. */
#define probed_stack(registers) ((__u64)PROBED_STACK(registers))

/* The same of Go's functions (ABIInternal, Go 1.17 and newer): words of arguments or of results, at the entry or at a
 * return instruction; and the goroutine that calls. */
#if defined(__TARGET_ARCH_x86)
#define PROBED_GO_WORD_1(registers) ((registers)->ax)
#define PROBED_GO_WORD_2(registers) ((registers)->bx)
#define PROBED_GO_WORD_3(registers) ((registers)->cx)
#define PROBED_GO_WORD_4(registers) ((registers)->di)
#elif defined(__TARGET_ARCH_arm64)
#define PROBED_GO_WORD_1(registers) ((registers)->regs[0])
#define PROBED_GO_WORD_2(registers) ((registers)->regs[1])
#define PROBED_GO_WORD_3(registers) ((registers)->regs[2])
#define PROBED_GO_WORD_4(registers) ((registers)->regs[3])
#endif
#define probed_go_word(registers, number) ((__u64)PROBED_GO_WORD_##number(registers))
#define probed_goroutine(registers) ((__u64)PB_GOROUTINE(registers))
/* At the jump behind a Go function's check for room on the stack (jbe, b.ls): whether the function goes on. Else its
 * stack grows, or its goroutine is preempted, and it begins again. */
#if defined(__TARGET_ARCH_x86)
enum { PROBED_CARRY = 1 << 0, PROBED_ZERO = 1 << 6 };
#define probed_go_has_room(registers) (!((registers)->flags & (PROBED_CARRY | PROBED_ZERO)))
#elif defined(__TARGET_ARCH_arm64)
enum { PROBED_CARRY = 1 << 29, PROBED_ZERO = 1 << 30 };
#define probed_go_has_room(registers) (((registers)->pstate & (PROBED_CARRY | PROBED_ZERO)) == PROBED_CARRY)
#endif

static __always_inline const void *probed_uprobe_settings(const struct probed_uprobe *probe) {
  return probe->settings->values;
}

/* --- shipping ------------------------------------------------------------------------------------------------- */

enum { PROBED_EVENT_MAX = 16384 };

struct probed_event_head {
  struct pb_record record;
  struct pb_event event;
};

static __always_inline void probed_event_fill(struct probed_uprobe *probe, struct probed_event_head *head, __u32 kind,
                                              __u32 size, __u64 sequence) {
  struct task_struct *task = bpf_get_current_task_btf();
  pb_record_begin(&head->record, probe->settings->generation, sequence, cfg_slot, (__u16)cfg_incarnation,
                  PB_RECORD_EVENT);
  head->record.size = sizeof(*head) + size;
  head->record.layer = 0;
  head->record.direction = 0;
  head->record.flags = 0;
  head->record.cookie = 0;
  head->record.offset = 0;
  head->record.total = size;
  head->record.captured = sizeof(head->event) + size;
  head->record.wire_sequence = 0;
  head->event.tgid_start_ns = task->group_leader->start_boottime;
  head->event.kind = kind;
  head->event.rule = probe->verdict.rule;
  pb_cause_tell(&head->record);
}

/* The number is taken before the reservation: what finds no room, or cannot be copied, is a gap in the sequence.
 * `front`: 0, or 8 for the cookie in front of the bytes. */
#define PROBED_EVENT_CLASS(probe, kind, front, size, room, read, from)                   \
  do {                                                                                   \
    const __u64 sequence = __sync_fetch_and_add(&(probe)->line->sequence, 1);            \
    struct {                                                                             \
      struct probed_event_head head;                                                     \
      __u64 cookie[(front) / 8];                                                         \
      __u8 data[room];                                                                   \
    } *record = bpf_ringbuf_reserve((probe)->ring, sizeof(*record), 0);                  \
    if (!record) return PROBED_FULL;                                                     \
    const __u32 length = (__u32)pb_clamp(size, room);                                    \
    if (read(record->data, length, from)) {                                              \
      bpf_ringbuf_discard(record, 0);                                                    \
      return PROBED_FAULT;                                                               \
    }                                                                                    \
    if (front) *(__u64 *)(&record->head + 1) = (probe)->cookie;                          \
    probed_event_fill(probe, &record->head, kind, length + (front), sequence);           \
    bpf_ringbuf_submit(record, pb_wake_flag((probe)->ring, (probe)->control, sequence)); \
    (probe)->shipped++;                                                                  \
    probed_count(&(probe)->line->generation[(probe)->settings->generation & 1]);         \
    return PROBED_SHIPPED;                                                               \
  } while (0)

#define PROBED_EVENT_SHIP(probe, kind, front, size, read, from)                         \
  do {                                                                                  \
    if ((size) <= 64) PROBED_EVENT_CLASS(probe, kind, front, size, 64, read, from);     \
    if ((size) <= 512) PROBED_EVENT_CLASS(probe, kind, front, size, 512, read, from);   \
    if ((size) <= 4096) PROBED_EVENT_CLASS(probe, kind, front, size, 4096, read, from); \
    PROBED_EVENT_CLASS(probe, kind, front, size, PROBED_EVENT_MAX, read, from);         \
  } while (0)

/* Ships `size` bytes of the probe's own memory (its stack, a map) as an event of `kind`; at most PROBED_EVENT_MAX.
 * Returns a probed_outcome. A process of which only some sockets are targets has no events: PROBED_SKIPPED. */
static __always_inline int probed_ship_event(struct probed_uprobe *probe, __u32 kind, const void *bytes, __u32 size) {
  if (!(probe->verdict.flags & PB_PROCESS_TARGET)) return PROBED_SKIPPED;
  PROBED_EVENT_SHIP(probe, kind, 0, size, bpf_probe_read_kernel, bytes);
}

/* The same with bytes of the traced process. PROBED_FAULT: they could not be read. */
static __always_inline int probed_ship_event_user(struct probed_uprobe *probe, __u32 kind, __u64 address, __u32 size) {
  if (!(probe->verdict.flags & PB_PROCESS_TARGET)) return PROBED_SKIPPED;
  PROBED_EVENT_SHIP(probe, kind, 0, size, bpf_probe_read_user, (const void *)address);
}

/* --- what stands around an author's probe ---------------------------------------------------------------------- */

/* Finds everything a probe needs; false: the process is no target, or the module is on its way out. Calls of probes are
 * hook calls of the core's line like those at sockets, so that the ledger's first equation holds for both. */
static __always_inline bool probed_uprobe_begin(struct probed_uprobe *probe) {
  const __u32 core_line = 0;
  struct pb_counters *core = bpf_map_lookup_elem(&pb_counters, &core_line);
  struct pb_control *control = pb_control_get();
  if (!core) return false;
  probed_count(&core->hooked);
  probe->control = control;
  probe->shipped = 0;
  probe->verdict = pb_process_verdict(control);
  if (!probe->verdict.flags) {
    probed_count(&core->filtered);
    return false;
  }
  const __u32 index = cfg_slot * control->shards + pb_shard_of((__u32)bpf_get_current_pid_tgid(), control->shards);
  probe->settings = pb_settings_of(control, cfg_slot);
  probe->line = bpf_map_lookup_elem(&pb_counters, &index);
  probe->ring = bpf_map_lookup_elem(&pb_rings, &index);
  if (probe->line && probe->ring) return true;
  probed_count(&core->fault);
  return false;
}

/* Each call ends in one line of the ledger; records beyond the first are `extra`. */
static __always_inline void probed_uprobe_end(struct probed_uprobe *probe, int outcome) {
  struct pb_counters *line = probe->line;
  if (probe->shipped) {
    probed_count(&line->submitted);
    __sync_fetch_and_add(&line->extra, probe->shipped - 1);
    return;
  }
  switch (outcome) {
    case PROBED_FULL: probed_count(&line->ring_full); break;
    case PROBED_FAULT: probed_count(&line->fault); break;
    case PROBED_UNBOUND: probed_count(&line->unbound); break;
    case PROBED_PASSED: break;
    default: probed_count(&line->skipped); break;
  }
}

#if defined(PROBED_PROTOTYPE_UPROBE)
/* A probe; `name` is what probe_site.program says and what the manifest lists with "attach": "probed.attach/1". Has
 * `probe` and `registers` (the traced thread's), returns a probed_outcome. The loader chooses the kind of link. */
#define PROBED_UPROBE(name)                                                                        \
  static __always_inline int name##_probe(struct probed_uprobe *probe, struct pt_regs *registers); \
  SEC("uprobe")                                                                                    \
  int name(struct pt_regs *registers) {                                                            \
    struct probed_uprobe probe;                                                                    \
    if (probed_uprobe_begin(&probe)) probed_uprobe_end(&probe, name##_probe(&probe, registers));   \
    return 0;                                                                                      \
  }                                                                                                \
  static __always_inline int name##_probe(struct probed_uprobe *probe, struct pt_regs *registers)
#else /* the socket prototypes have no probes */
#define PROBED_UPROBE(name) \
  static __always_inline    \
      __attribute__((unused)) int name##_probe(struct probed_uprobe *probe, struct pt_regs *registers)
#endif

#endif
