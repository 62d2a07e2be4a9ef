// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl completion: scripts for bash, zsh and fish. They ask this very program what may come next, so that they
// never differ from it; names of modules and sinks come from the daemon.
#include <algorithm>
#include <chrono>
#include <memory>
#include <ostream>

#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

// A shell waits for the answer with every press of the key.
constexpr std::chrono::milliseconds kPatience{500};

constexpr std::string_view kBash = R"(_probectl() {
  local IFS=$'\n'
  COMPREPLY=($(probectl __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  if [ ${#COMPREPLY[@]} -eq 0 ]; then
    COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
  fi
}
complete -o filenames -F _probectl probectl
)";

constexpr std::string_view kZsh = R"(#compdef probectl
_probectl() {
  local -a found
  found=("${(@f)$(probectl __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${found[*]}" ]]; then
    compadd -- "${found[@]}"
  else
    _files
  fi
}
compdef _probectl probectl
)";

constexpr std::string_view kFish = R"(function __probectl_complete
  set -l words (commandline -opc) (commandline -ct)
  probectl __complete -- $words[2..-1] 2>/dev/null
end
complete -c probectl -a '(__probectl_complete)'
)";

std::vector<std::string> ModuleNames(Session& session, bool loaded) {
  v1::ListModulesRequest request;
  request.set_loaded_only(loaded);
  v1::ListModulesResponse response;
  std::vector<std::string> names;
  if (!session.TryCall(&v1::Control::Stub::ListModules, request, &response).ok()) return names;
  for (const v1::Module& module : response.modules()) names.push_back(module.name());
  return names;
}

std::vector<std::string> SinkNames(Session& session) {
  v1::ListSinksResponse response;
  std::vector<std::string> names;
  if (!session.TryCall(&v1::Control::Stub::ListSinks, v1::ListSinksRequest(), &response).ok()) return names;
  for (const v1::Sink& sink : response.sinks()) names.push_back(sink.name());
  return names;
}

std::vector<std::string> Names(Session& session, NameKind kind) {
  switch (kind) {
    case NameKind::kModule: return ModuleNames(session, /*loaded=*/false);
    case NameKind::kLoadedModule: return ModuleNames(session, /*loaded=*/true);
    case NameKind::kSink: return SinkNames(session);
    case NameKind::kFile: return {};
  }
  return {};
}

/// The option that takes `word` as its name, of the command or of its parents.
const CLI::Option* FindOption(const CLI::App* command, const std::string& word) {
  for (; command != nullptr; command = command->get_parent()) {
    if (const CLI::Option* option = command->get_option_no_throw(word)) return option;
  }
  return nullptr;
}

bool TakesValue(const CLI::App* command, const std::string& word) {
  if (!word.starts_with("-") || word.find('=') != std::string::npos) return false;
  const CLI::Option* option = FindOption(command, word);
  return option != nullptr && option->get_items_expected_max() > 0;
}

const CLI::App* Child(const CLI::App* command, const std::string& word) {
  for (const CLI::App* child : command->get_subcommands(nullptr)) {
    if (child->get_name() == word) return child;
  }
  return nullptr;
}

/// Values of an option that has a fixed choice.
std::vector<std::string> Values(const std::string& option) {
  if (option == "-o" || option == "--output") return {"table", "wide", "json", "yaml", "name"};
  if (option == "--signal") return {"traces", "metrics", "logs"};
  if (option == "--kind") return {"modules", "sinks", "routes", "targets"};
  return {};
}

void AddOptions(const CLI::App* command, std::vector<std::string>& words) {
  for (; command != nullptr; command = command->get_parent()) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
    }
  }
}

std::vector<std::string> Candidates(Verbs& verbs, const CLI::App* command, const std::string& typed) {
  std::vector<std::string> words;
  if (typed.starts_with("-")) {
    AddOptions(command, words);
    return words;
  }
  for (const CLI::App* child : command->get_subcommands(nullptr)) {
    if (!child->get_group().empty()) words.push_back(child->get_name());
  }
  if (const NameKind* kind = verbs.KindOf(command)) {
    for (std::string& name : Names(verbs.session(), *kind)) words.push_back(std::move(name));
  }
  return words;
}

ExitCode PrintScript(Session& session, const std::string& shell) {
  session.out() << (shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
  return ExitCode::kDone;
}

ExitCode PrintCandidates(Verbs& verbs, const std::vector<std::string>& words) {
  for (const std::string& word : Complete(verbs, words)) verbs.session().out() << word << '\n';
  return ExitCode::kDone;
}

}  // namespace

std::vector<std::string> Complete(Verbs& verbs, const std::vector<std::string>& words) {
  const std::string typed = words.empty() ? "" : words.back();
  const CLI::App* command = &verbs.app();
  std::string option;  // whose value comes next
  Options& options = verbs.session().options;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (!option.empty()) {
      if (option == "--socket") options.socket = words[i];
      option.clear();
    } else if (TakesValue(command, words[i])) {
      option = words[i];
    } else if (const CLI::App* child = Child(command, words[i])) {
      command = child;
    }
  }
  options.timeout = kPatience;
  std::vector<std::string> found = option.empty() ? Candidates(verbs, command, typed) : Values(option);
  std::erase_if(found, [&typed](const std::string& word) {
    // A name that needs quoting in a shell is none of ours.
    return !word.starts_with(typed) || word.find_first_not_of(
                                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789_.-") != std::string::npos;
  });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void AddCompletion(Verbs& verbs) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = verbs.app().add_subcommand("completion", "A completion script for bash, zsh or fish");
  command->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  verbs.OnRun(command, [&verbs, shell] { return PrintScript(verbs.session(), *shell); });

  const auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* hidden = verbs.app().add_subcommand("__complete", "Words that may come next")->group("");
  hidden->add_option("words", *words);
  verbs.OnRun(hidden, [&verbs, words] { return PrintCandidates(verbs, *words); });
}

}  // namespace probed::cli
