// Rules about how a document is written: its keys, its names, its architectures.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "filter/library.h"
#include "profile/oci_reader.h"
#include "review/lint_subject.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::review {

namespace {

using profile::Rule;
using syscalls::Arch;

// Releases from this one on are new enough that hosts in use have older ones.
constexpr std::string_view kOldInUse = "2.5.4";

std::string library_text() {
  const filter::Library& library = filter::libseccomp();
  const bool own = library.source == filter::Library::Source::kOwn;
  return library.version + (own ? " here" : "");
}

// What runtimes make of a document that holds a key of Docker's dialect.
std::string passed_over(std::string_view key) {
  std::string text =
      format("runc, crun, containerd and Kubernetes pass over \"{}\" silently: ", key);
  if (key == "archMap") return text + "only the host's own architecture is let in";
  if (key == "name") return text + "the rule has no names and does nothing (crun refuses it)";
  if (key == "errno" || key == "defaultErrno") return text + "the errno is EPERM";
  return text + "the rule holds on every host and for every container";
}

std::string docker_key_fix(std::string_view key) {
  if (key == "archMap") return "list the architectures under \"architectures\"";
  if (key == "name") return "write \"names\": [...]";
  if (key == "errno") return "write the number under \"errnoRet\"";
  if (key == "defaultErrno") return "write the number under \"defaultErrnoRet\"";
  return "write out the rules that hold on your hosts, without it; a file for Docker or Podman "
         "alone is checked with --dialect docker";
}

void report_docker_keys(const json::Value& object, const std::string& pointer, Report& report) {
  for (const auto& [key, value] : *object.object()) {
    if (!profile::is_docker_key(key) || profile::says_nothing(value)) continue;
    report.add(Severity::kError, format("{}/{}", pointer, key), {}, passed_over(key),
               docker_key_fix(key));
  }
}

bool lists_family(const profile::Profile& profile, Arch native) {
  return std::any_of(profile.arches().begin(), profile.arches().end(),
                     [native](Arch arch) { return syscalls::native_of(arch) == native; });
}

const std::vector<std::string>* counterparts(std::string_view call) {
  for (const syscalls::LegacyCall& legacy : syscalls::legacy_calls()) {
    if (legacy.legacy == call) return &legacy.modern;
  }
  return nullptr;
}

// A call that is allowed on x86_64 and that aarch64 lacks.
struct Lacking {
  std::string_view call;
  const std::vector<std::string>* modern = nullptr;  // what takes its place; none: nothing does
  std::vector<std::string> refused;                  // those of them that the profile refuses
};

std::vector<Lacking> lacking_on_aarch64(const LintSubject& subject) {
  std::vector<Lacking> all;
  for (const std::string_view call : subject.handed().calls()) {
    if (!syscalls::number(Arch::kX86_64, call) || syscalls::number(Arch::kAarch64, call) ||
        !subject.can_allow(Arch::kX86_64, call)) {
      continue;
    }
    Lacking lacking{call, counterparts(call), {}};
    if (lacking.modern != nullptr) {
      std::copy_if(
          lacking.modern->begin(), lacking.modern->end(), std::back_inserter(lacking.refused),
          [&](const std::string& modern) { return !subject.can_allow(Arch::kAarch64, modern); });
    }
    all.push_back(std::move(lacking));
  }
  return all;
}

// The usual counterpart stands first.
bool is_needed(const Lacking& lacking) {
  return !lacking.refused.empty() && lacking.refused.front() == lacking.modern->front();
}

}  // namespace

void check_unknown_name(const LintSubject& subject, Report& report) {
  const auto& rules = subject.profile().rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t n = 0; n < rules[i].names.size(); ++n) {
      const std::string& name = rules[i].names[n];
      if (syscalls::is_known(name)) continue;
      const auto near = nearest(name, syscalls::known_names());
      report.add(Severity::kError, subject.at_name(i, n), {name},
                 format("no Linux architecture has a call \"{}\" (up to Linux {}): runtimes pass "
                        "over the name silently, the rule does nothing for it",
                        printable(name), syscalls::table_kernel()),
                 near ? format("did you mean \"{}\"?", *near) : "remove it");
    }
  }
}

void check_newer_than_libseccomp(const LintSubject& subject, Report& report) {
  const auto& rules = subject.profile().rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    std::map<std::string_view, std::vector<std::string>> by_release;
    for (const std::string& name : rules[i].names) {
      const auto at = filter::new_names().find(name);
      // Releases are of one digit a part, so that texts compare as versions do.
      if (at == filter::new_names().end()) continue;
      if (at->second.libseccomp >= kOldInUse || !filter::libseccomp_knows(name)) {
        by_release[at->second.libseccomp].push_back(name);
      }
    }
    for (auto& [release, names] : by_release) {
      std::vector<std::string> unknown_here;
      std::copy_if(names.begin(), names.end(), std::back_inserter(unknown_here),
                   [](const std::string& name) { return !filter::libseccomp_knows(name); });
      const std::string here =
          unknown_here.empty() ? std::string() : format("; {} is one of them", library_text());
      report.add(Severity::kNote, subject.at_rule(i), names,
                 format("libseccomp before {} does not know {}: a runtime with such a one passes "
                        "over the name silently and answers {}{}",
                        release, join(names, ", "),
                        subject.is_runc() ? "the default action, or ENOSYS above the newest name "
                                            "that it knows"
                                          : "the default action",
                        here),
                 "use it where the runtime's libseccomp is new enough; the rest of the profile is "
                 "not affected");
    }
  }
}

void check_docker_only_key(const LintSubject& subject, Report& report) {
  if (subject.document().docker) return;
  const json::Value& root = subject.document().json;
  report_docker_keys(root, "", report);
  const json::Value* rules = root.find("syscalls");
  if (rules == nullptr || !rules->is_array()) return;
  for (std::size_t i = 0; i < rules->array()->size(); ++i) {
    report_docker_keys((*rules->array())[i], format("/syscalls/{}", i), report);
  }
}

void check_missing_architecture(const LintSubject& subject, Report& report) {
  const profile::Profile& profile = subject.profile();
  const std::string fix =
      "list under \"architectures\" every ABI that the workload's hosts and programs use";
  if (profile.parts().architectures.empty()) {
    report.add(Severity::kNote, "", {},
               "no architectures are listed: a runtime lets in its host's own ABI alone, and every "
               "call of a 32-bit program kills it",
               fix);
    return;
  }
  for (const Arch native : {Arch::kX86_64, Arch::kAarch64}) {
    const bool asked_for = subject.settings().family == native;
    if (profile.lists(native) || (subject.settings().family && !asked_for)) continue;
    report.add(asked_for ? Severity::kWarning : Severity::kNote, "/architectures", {},
               format("{} is not listed: on such a host runtimes add it by themselves{}",
                      syscalls::oci_arch(native),
                      lists_family(profile, native)
                          ? std::string(", so the list is not what is in force")
                          : std::string(", with the names of this list, which nobody may have "
                                        "tried there")),
               fix);
  }
}

void check_missing_counterpart(const LintSubject& subject, Report& report) {
  const auto& family = subject.settings().family;
  if (family && *family != Arch::kAarch64) return;
  const std::vector<Lacking> all = lacking_on_aarch64(subject);
  // A profile that has all counterparts was made for both.
  if (std::none_of(all.begin(), all.end(), is_needed)) return;
  const bool listed = family || subject.profile().parts().architectures.empty() ||
                      lists_family(subject.profile(), Arch::kAarch64);
  for (const Lacking& lacking : all) {
    const std::string call(lacking.call);
    const std::string pointer = subject.at_call(lacking.call);
    if (lacking.modern == nullptr) {
      report.add(Severity::kNote, pointer, {call},
                 format("aarch64 has no {}; nothing takes its place there", call), "");
    } else if (lacking.refused.empty()) {
      report.add(Severity::kNote, pointer, {call},
                 format("aarch64 has no {}: C libraries call {} there, which is allowed", call,
                        join(*lacking.modern, " or ")),
                 "");
    } else {
      report.add(listed && is_needed(lacking) ? Severity::kWarning : Severity::kNote, pointer,
                 {call},
                 format("aarch64 has no {}: C libraries call {} there, and {} {} refused", call,
                        join(*lacking.modern, " or "), join(lacking.refused, " and "),
                        lacking.refused.size() == 1 ? "is" : "are"),
                 format("allow {} too", join(lacking.refused, " and ")));
    }
  }
}

}  // namespace whittle::review
