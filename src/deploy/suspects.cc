#include "deploy/suspects.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "base/json.h"
#include "base/text.h"
#include "syscalls/arch.h"

namespace whittle::deploy {

namespace {

namespace fs = std::filesystem;
constexpr int kMostEntries = 20'000;

bool has_word(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

// A call that a runtime makes only when no_new_privileges is off.
bool is_weak(const review::Finding& finding) {
  return finding.rule == "missing-for-runtime" && finding.severity == review::Severity::kWarning;
}

// Which known failure a finding of lint leads to; empty: none that keeps a workload from running.
std::string failure_of_finding(const review::Finding& finding) {
  if (finding.rule == "docker-only-key") return "docker-dialect-file";
  if (is_weak(finding)) return "runtime-calls-refused";
  if (finding.severity != review::Severity::kError) return {};
  if (finding.rule == "missing-for-runtime") return "runtime-calls-refused";
  if (finding.rule == "notify-without-listener") return "notify-not-possible";
  if (finding.rule == "contradictory-rules") return "contradictory-rules";
  if (finding.rule != "refused-by-runtime") return {};
  if (has_word(finding.message, "NOTIFY") || has_word(finding.message, "notify")) {
    return "notify-not-possible";
  }
  if (has_word(finding.pointer, "/architectures")) return "wrong-architecture";
  if (has_word(finding.pointer, "/flags")) return "flags-unknown";
  if (has_word(finding.message, "errno")) return "profile-errno-invalid";
  return {};
}

std::string failure_of_unreadable(const Error& error) {
  if (has_word(error.place, "rrnoRet")) return "profile-errno-invalid";
  if (has_word(error.place, "/architectures")) {
    const bool docker = std::any_of(
        syscalls::kAllArches.begin(), syscalls::kAllArches.end(), [&error](syscalls::Arch arch) {
          return has_word(error.message, format("\"{}\"", syscalls::docker_arch(arch)));
        });
    return docker ? "docker-dialect-file" : "wrong-architecture";
  }
  if (has_word(error.place, "/flags")) return "flags-unknown";
  const bool placed = has_word(error.place, " /");
  return placed ? "profile-word-unknown" : "profile-not-json";
}

// Architectures are listed, and none of them is of this machine's family.
bool for_another_machine(const profile::Profile& profile) {
  const auto& arches = profile.arches();
  const syscalls::Arch here = syscalls::native_of(syscalls::host_arch());
  return !profile.parts().architectures.empty() &&
         std::none_of(arches.begin(), arches.end(),
                      [here](syscalls::Arch arch) { return syscalls::native_of(arch) == here; });
}

void add(std::vector<Suspicion>& all, Suspicion next) {
  const auto same = std::find_if(all.begin(), all.end(), [&next](const Suspicion& one) {
    return one.failure == next.failure && one.weak == next.weak;
  });
  if (same == all.end()) {
    all.push_back(std::move(next));
    return;
  }
  for (std::string& call : next.calls) {
    if (std::find(same->calls.begin(), same->calls.end(), call) == same->calls.end()) {
      same->calls.push_back(std::move(call));
    }
  }
}

}  // namespace

std::vector<Suspicion> suspect_profile(std::string_view text, std::string_view file,
                                       filter::Flavour runtime) {
  std::vector<Suspicion> all;
  const auto document = review::read_lint_document(text, file, nullptr);
  if (!document) {
    all.push_back({failure_of_unreadable(document.error()), document.error().text(), {}, false});
    return all;
  }
  review::LintSettings settings;
  settings.runtime = runtime;
  for (const review::Finding& finding : review::lint(*document, settings)) {
    const std::string failure = failure_of_finding(finding);
    if (failure.empty()) continue;
    add(all,
        {failure,
         format("{}:{}{}: {}", printable(file), finding.line,
                finding.pointer.empty() ? "" : " " + printable(finding.pointer), finding.message),
         finding.calls, is_weak(finding)});
  }
  if (for_another_machine(document->profile)) {
    add(all, {"wrong-architecture",
              format("{}: of its architectures none is one of this machine", printable(file)),
              {},
              false});
  }
  return all;
}

std::vector<std::string> profiles_called(std::string_view wanted,
                                         std::span<const std::string> directories) {
  const std::string name = fs::path(wanted).filename().string();
  std::set<std::string> found;
  if (name.empty()) return {};
  for (const std::string& directory : directories) {
    std::error_code error;
    int left = kMostEntries;
    fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied,
                                        error);
    for (const fs::recursive_directory_iterator end; !error && at != end && left > 0;
         at.increment(error), --left) {
      const std::string here = at->path().filename().string();
      if (here.starts_with(".whittle")) {
        at.disable_recursion_pending();
        continue;
      }
      std::error_code ignored;
      const bool same = here == name || here == name + ".json" || here + ".json" == name;
      if (same && at->is_regular_file(ignored)) found.insert(at->path().string());
    }
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> profile_directories(const std::string& root) {
  return {root, "/etc/containers", "/usr/share/containers", "/etc/docker", "/etc/crio"};
}

}  // namespace whittle::deploy
