// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the file of a module says before any of its code runs.
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>

#include <functional>
#include <optional>

#include "api/module/probe_module.h"
#include "server/base/fd.h"
#include "server/modules/config_schema.h"
#include "server/modules/elf_sections.h"
#include "server/modules/inspect.h"
#include "server/modules/sealed_image.h"
#include "tests/conformance/check.h"

namespace probed::conformance {
namespace {

using modules::Bytes;
using modules::ElfImage;
using modules::ElfSymbol;

/// Opens, seals and parses the subject, then lets `look` see it; reports what fails on the way.
void WithImage(const Subject& subject, Report& report, const std::function<void(Bytes, const ElfImage&)>& look) {
  const Fd file(open(subject.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!report.Expect(file.valid(), "cannot be opened")) return;
  const auto image = modules::SealedImage::Copy(file.get(), subject.name);
  if (!report.Expect(image.ok(), Message(image.status()))) return;
  const auto mapping = image->Map();
  if (!report.Expect(mapping.ok(), Message(mapping.status()))) return;
  const auto elf = ElfImage::Parse(mapping->bytes());
  if (!report.Expect(elf.ok(), "the file " + std::string(Message(elf.status())))) return;
  look(mapping->bytes(), *elf);
}

void CheckElf(const Subject& subject, Report& report) {
  WithImage(subject, report, [](Bytes, const ElfImage&) {});
}

void CheckManifest(const Subject& subject, Report& report) {
  WithImage(subject, report, [&](Bytes bytes, const ElfImage&) {
    const auto inspection = modules::InspectImage(bytes, subject.name);
    if (!report.Expect(inspection.ok(), Message(inspection.status()))) return;
    for (const std::string& key : inspection->manifest.unknown_keys) report.Fail("unknown key " + key);
    const auto config = modules::CompleteConfig(inspection->manifest.config_schema, "{}");
    report.Expect(config.ok(),
                  "the defaults of its configuration do not fit it: " + std::string(Message(config.status())));
  });
}

void CheckTruncated(const Subject& subject, Report& report) {
  WithImage(subject, report, [&](Bytes bytes, const ElfImage&) {
    for (std::size_t part = 0; part < 64; ++part) {
      const Bytes cut = bytes.first(bytes.size() * part / 64);
      report.Expect(!modules::InspectImage(cut, subject.name).ok(), fmt::format("{} bytes of it pass", cut.size()));
    }
  });
}

void CheckExports(const Subject& subject, Report& report) {
  WithImage(subject, report, [&](Bytes, const ElfImage& elf) {
    const auto symbols = elf.DynamicSymbols();
    if (!report.Expect(symbols.ok(), Message(symbols.status()))) return;
    bool found = false;
    for (const ElfSymbol& symbol : *symbols) {
      if (!symbol.defined || symbol.binding == STB_LOCAL) continue;
      const bool is_entry = symbol.name == PROBE_MODULE_SYMBOL;
      found = found || is_entry;
      if (!is_entry) report.Fail("exports " + symbol.name);
    }
    report.Expect(found, "does not export " PROBE_MODULE_SYMBOL);
  });
}

void CheckLibraries(const Subject& subject, Report& report) {
  WithImage(subject, report, [&](Bytes, const ElfImage& elf) {
    const auto needed = elf.NeededLibraries();
    if (!report.Expect(needed.ok(), Message(needed.status()))) return;
    for (const std::string& library : *needed) {
      for (const char* banned : {"libprotobuf", "libgrpc", "libspdlog", "libboost", "libabsl"}) {
        if (library.starts_with(banned)) report.Fail("links " + library);
      }
    }
  });
}

#ifndef PROBED_SANITIZED
/// Entries that crtbegin brings itself: frame_dummy and __do_global_dtors_aux.
constexpr std::uint64_t kOwnEntries = sizeof(void*);

void CheckUnloadable(const Subject& subject, Report& report) {
  WithImage(subject, report, [&](Bytes, const ElfImage& elf) {
    const auto symbols = elf.DynamicSymbols();
    if (!report.Expect(symbols.ok(), Message(symbols.status()))) return;
    for (const ElfSymbol& symbol : *symbols) {
      if (symbol.binding == STB_GNU_UNIQUE) report.Fail("has the unique symbol " + symbol.name);
      if (symbol.name == "__cxa_thread_atexit") report.Fail("has a thread_local with a destructor");
      if (symbol.name == "pthread_create") report.Fail("starts threads");
    }
    for (const auto& section : elf.sections()) {
      if (section.type == SHT_INIT_ARRAY && section.size > kOwnEntries) report.Fail("has global constructors");
    }
  });
}
#else
void CheckUnloadable(const Subject&, Report& report) { report.Skip("a sanitizer adds constructors of its own"); }
#endif

}  // namespace

std::vector<Check> FileChecks() {
  return {
      {"elf", "is a shared object of this machine, whole", CheckElf},
      {"manifest", "has a valid manifest of its own name, and kernel objects with the digests it says", CheckManifest},
      {"truncated", "is refused when cut short", CheckTruncated},
      {"exports", "exports " PROBE_MODULE_SYMBOL " and nothing else", CheckExports},
      {"libraries", "links no library that cannot be there twice", CheckLibraries},
      {"unloadable", "has nothing that would keep it in memory", CheckUnloadable},
  };
}

}  // namespace probed::conformance
