// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/backends.h"

#include <algorithm>

namespace probed::bpf {
namespace {

constexpr pb_slot_program kAll[] = {PB_CLASSIFY, PB_RX, PB_TX, PB_DATAGRAM_RX, PB_DATAGRAM_TX};
constexpr pb_slot_program kReceive[] = {PB_CLASSIFY, PB_RX, PB_DATAGRAM_RX};
constexpr pb_slot_program kReceiveStream[] = {PB_CLASSIFY, PB_RX};
constexpr pb_slot_program kSendStream[] = {PB_CLASSIFY, PB_TX};
constexpr pb_slot_program kSendPage[] = {PB_TX};
constexpr pb_slot_program kSendDatagram[] = {PB_CLASSIFY, PB_DATAGRAM_TX};

// Functions that kernels may lack: those for pages went in 6.5, unix sockets may be in a module.
constexpr const char* kUnixPage = "unix_stream_sendpage";
constexpr const char* kUnixReceive = "unix_stream_recvmsg";
constexpr const char* kUnixSend = "unix_stream_sendmsg";
constexpr const char* kFunctions[] = {kTcpSendpage, kUnixPage, kUnixReceive, kUnixSend};

constexpr Hook kSockHooks[] = {{"pb_recv", true}, {"pb_send", true}};
constexpr Hook kFexitHooks[] = {{"pb_tcp_rx", true},
                                {"pb_tcp_tx", true},
                                {"pb_udp_rx", true},
                                {"pb_udp_tx", true},
                                {"pb_udp6_rx", false},
                                {"pb_udp6_tx", false},
                                {"pb_tcp_page", false, kTcpSendpage},
                                {"pb_unix_rx", false, kUnixReceive},
                                {"pb_unix_tx", false, kUnixSend},
                                {"pb_unix_page", false, kUnixPage}};
// On cgroups. Without them, datagram sockets end by time-out and have no unconnected peers: the kernel may lack them.
constexpr const char* kSockCgroupHooks[] = {"pb_gone", "pb_from4", "pb_from6"};
constexpr const char* kFexitCgroupHooks[] = {"pb_gone"};
constexpr Prototype kSockPrototypes[] = {{"sock", "pb_progs_sock", kAll}};
constexpr Prototype kFexitPrototypes[] = {{"fexit_rx", "pb_progs_frx", kReceive},
                                          {"fexit_tx", "pb_progs_ftx", kSendStream},
                                          {"fexit_udp_tx", "pb_progs_fudp", kSendDatagram},
                                          {"fexit_page", "pb_progs_fpage", kSendPage, kTcpSendpage},
                                          {"fexit_unix_rx", "pb_progs_fux_rx", kReceiveStream, kUnixReceive},
                                          {"fexit_unix_tx", "pb_progs_fux_tx", kSendStream, kUnixSend},
                                          {"fexit_unix_page", "pb_progs_fux_pg", kSendPage, kUnixPage}};

/// Of a backend's hooks or prototypes, those that this kernel can have.
template <typename Table>
std::vector<Table> OnThisKernel(std::span<const Table> table, const KernelFunctions& functions) {
  std::vector<Table> there;
  for (const Table& entry : table)
    if (entry.function == nullptr || functions.contains(entry.function)) there.push_back(entry);
  return there;
}

bool HasProgram(const std::vector<std::string>& programs, pb_slot_program kind) {
  return std::any_of(programs.begin(), programs.end(),
                     [kind](const std::string& name) { return name.ends_with(SuffixOf(kind)); });
}

}  // namespace

std::string_view BackendName(Backend backend) { return backend == Backend::kSock ? "sock" : "fexit"; }

KernelFunctions FunctionsOfThisKernel() { return KernelFunctionsAmong(kFunctions); }

std::vector<Backend> Candidates(const std::string& wanted, const KernelFunctions& functions) {
  if (wanted == "sock") return {Backend::kSock};
  if (wanted == "fexit") return {Backend::kFexit};
  // The tracepoints of `sock` are not passed by pages of a file.
  if (functions.contains(kTcpSendpage)) return {Backend::kFexit, Backend::kSock};
  return {Backend::kSock, Backend::kFexit};
}

std::vector<Hook> HooksOf(Backend backend, const KernelFunctions& functions) {
  return OnThisKernel(
      backend == Backend::kSock ? std::span<const Hook>(kSockHooks) : std::span<const Hook>(kFexitHooks), functions);
}

std::span<const char* const> CgroupHooksOf(Backend backend) {
  return backend == Backend::kSock ? std::span<const char* const>(kSockCgroupHooks)
                                   : std::span<const char* const>(kFexitCgroupHooks);
}

std::vector<Prototype> PrototypesOf(Backend backend, const KernelFunctions& functions) {
  return OnThisKernel(backend == Backend::kSock ? std::span<const Prototype>(kSockPrototypes)
                                                : std::span<const Prototype>(kFexitPrototypes),
                      functions);
}

const char* SuffixOf(pb_slot_program program) {
  switch (program) {
    case PB_CLASSIFY: return "_classify";
    case PB_RX: return "_rx";
    case PB_TX: return "_tx";
    case PB_DATAGRAM_RX: return "_drx";
    case PB_DATAGRAM_TX: return "_dtx";
    case PB_SLOT_PROGRAMS: break;
  }
  return "";
}

bool IsInChain(const std::vector<std::string>& programs, pb_chain chain) {
  return chain == PB_CHAIN_DATAGRAMS ? HasProgram(programs, PB_DATAGRAM_RX) || HasProgram(programs, PB_DATAGRAM_TX)
                                     : HasProgram(programs, PB_RX) || HasProgram(programs, PB_TX);
}

std::vector<std::string> ProgramsFor(const Prototype& prototype, const std::vector<std::string>& programs) {
  std::vector<std::string> wanted;
  bool takes_any = false;
  for (const pb_slot_program kind : prototype.programs) {
    for (const std::string& name : programs) {
      if (!name.ends_with(SuffixOf(kind))) continue;
      wanted.push_back(name);
      takes_any |= kind != PB_CLASSIFY;
    }
  }
  return takes_any ? wanted : std::vector<std::string>{};
}

}  // namespace probed::bpf
