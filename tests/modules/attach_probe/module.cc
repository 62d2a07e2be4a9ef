// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A module without a protocol: it probes a function of a library and makes a span of each call and of each return.
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "api/sdk/config_reader.h"
#include "api/sdk/elf_symbols.h"
#include "api/sdk/module.h"
#include "api/sdk/span_builder.h"
#include "tests/modules/attach_probe/events.h"

namespace probed::mod::attach_probe {
namespace {

/// A function of the library, and the programs for its two ends.
struct Function {
  std::string_view name;
  std::string_view at_entry;
  std::string_view at_return;
};
constexpr Function kFunctions[] = {{"attach_target_work", "attach_called", "attach_returned"},
                                   {"attach_session_write", "session_enter", "session_wrote"},
                                   {"attach_session_read", "session_enter", "session_read"}};

class AttachProbe {
 public:
  struct Config {};

  class Shard {
   public:
    Shard(AttachProbe& module, const sdk::Generations<Config>&, sdk::ShardHost host) : module_(module), host_(host) {}

    void OnEvent(const probe_event_t& event) {
      attach_probe_event payload{};
      const sdk::Stream stream = host_.OwnStream();
      if (event.size != sizeof(payload)) return stream.Count(PROBE_UNDECODABLE_MALFORMED);
      std::memcpy(&payload, event.bytes, sizeof(payload));
      probe_exchange_t exchange{};
      exchange.struct_size = sizeof(exchange);
      exchange.kind = PROBE_SPAN_INTERNAL;
      exchange.start_ns = event.ktime_ns;
      exchange.cause = event.cause;
      span_.Start(PROBE_SPAN_INTERNAL, stream.Begin(exchange));
      span_.Name("attach_target_work");
      span_.Times(event.ktime_ns, event.ktime_ns);
      span_.Int(event.kind == ATTACH_PROBE_CALLED ? module_.argument_ : module_.result_, payload.number);
      span_.Int(module_.tgid_, event.tgid);
      span_.Emit(stream);
    }

   private:
    AttachProbe& module_;
    sdk::ShardHost host_;
    sdk::SpanBuilder span_;
  };

  explicit AttachProbe(sdk::Host host)
      : argument_(host.InternKey("attach.argument")),
        result_(host.InternKey("attach.result")),
        tgid_(host.InternKey("attach.tgid")) {}

  std::unique_ptr<Config> Prepare(std::string_view json, sdk::FieldErrors& errors) {
    sdk::ConfigReader(json, errors).Finish();
    return std::make_unique<Config>();
  }

  template <class Emit>
  probe_result_t Plan(int fd, std::string_view path, Emit emit) {
    if (path.find("libattach_target.so") == std::string_view::npos) return PROBE_UNSUPPORTED;
    const sdk::ElfSymbols symbols(fd);
    for (const Function& function : kFunctions) {
      const auto offset = symbols.FindFunction(function.name);
      if (!offset) return PROBE_UNSUPPORTED;
      emit({.program = sdk::ToAbi(function.at_entry), .file_offset = *offset, .is_return = 0, .reserved = {}});
      emit({.program = sdk::ToAbi(function.at_return), .file_offset = *offset, .is_return = 1, .reserved = {}});
    }
    return PROBE_OK;
  }

 private:
  std::uint32_t argument_;
  std::uint32_t result_;
  std::uint32_t tgid_;
};

}  // namespace
}  // namespace probed::mod::attach_probe

PROBE_MODULE(probed::mod::attach_probe::AttachProbe)
