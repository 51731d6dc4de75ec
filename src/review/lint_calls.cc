// Rules about what a profile leaves open.
#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "generate/multiplex.h"
#include "review/dangerous.h"
#include "review/lint_subject.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

namespace whittle::review {

namespace {

using generate::Meaning;
using profile::Action;
using profile::Verdict;
using syscalls::Arch;

std::string names_of(const std::vector<Arch>& arches) {
  std::vector<std::string> names;
  for (const Arch arch : arches) names.emplace_back(syscalls::arch_name(arch));
  return join(names, ", ");
}

// The covered ABIs that have the call and for which `test` holds.
template <typename Test>
std::vector<Arch> covered_where(const LintSubject& subject, std::string_view call,
                                const Test& test) {
  std::vector<Arch> arches;
  for (const Arch arch : subject.covered()) {
    if (syscalls::number(arch, call) && test(arch)) arches.push_back(arch);
  }
  return arches;
}

constexpr std::array<std::string_view, 7> kNamespaceFlags = {
    "CLONE_NEWUSER", "CLONE_NEWNS",  "CLONE_NEWNET",   "CLONE_NEWPID",
    "CLONE_NEWIPC",  "CLONE_NEWUTS", "CLONE_NEWCGROUP"};
constexpr std::uint64_t kNamespaceMask = 0x7e020000;

// AF_UNIX, AF_INET, AF_INET6, AF_NETLINK and AF_UNSPEC: what workloads use, and what resolvers ask
// the kernel by.
constexpr std::array<std::uint32_t, 5> kUsualFamilies = {0, 1, 2, 10, 16};
constexpr std::uint32_t kFamilies = 46;  // AF_MAX of Linux 7.2

// The calls that go through an entry such as socketcall on x86 and that the profile refuses there,
// or allows under conditions.
std::vector<std::string> bypassed(const LintSubject& subject, std::string_view entry) {
  std::vector<std::string> calls;
  for (const syscalls::Entry& call : syscalls::entries(Arch::kX86)) {
    const auto multiplexed = generate::multiplexed(call.name);
    if (!multiplexed || multiplexed->entry != entry) continue;
    const Verdict* constant = subject.handed().constant(call.name);
    if (constant == nullptr || !constant->allows()) calls.emplace_back(call.name);
  }
  return calls;
}

void check_entry(const LintSubject& subject, std::string_view entry, Report& report) {
  const Verdict* constant = subject.handed().constant(entry);
  if (constant != nullptr && constant->allows()) {
    const auto calls = bypassed(subject, entry);
    if (calls.empty()) return;
    std::vector<std::string> about = {std::string(entry)};
    about.insert(about.end(), calls.begin(), calls.end());
    report.add(Severity::kWarning, subject.at_call(entry), about,
               format("{} is allowed: on x86 it makes every call of its group, also those that the "
                      "profile refuses or allows under conditions ({})",
                      entry, some_of(calls)),
               format("close the 32-bit entry, or answer {} with ENOSYS (errnoRet 38): C libraries "
                      "then make the calls directly",
                      entry));
    return;
  }
  if (!subject.handed().rules(entry).empty()) return;  // somebody thought of it
  for (const std::string& call : bypassed(subject, entry)) {
    if (subject.handed().constant(call) != nullptr) continue;
    report.add(Severity::kWarning, subject.at_call(call), {call, std::string(entry)},
               format("the conditions for {} are lost on x86: libseccomp adds a rule for {} "
                      "without them, because its arguments lie behind a pointer",
                      call, entry),
               "close the 32-bit entry: list 64-bit architectures only");
  }
}

// Compares one profile with one base on the ABIs of one family.
class BaseComparison {
 public:
  BaseComparison(const LintSubject& subject, Arch family, const profile::Profile& base,
                 Report& report)
      : subject_(subject), base_(base, subject.settings().runtime), report_(report) {
    for (const Arch arch : subject.covered()) {
      if (syscalls::native_of(arch) == family) arches_.push_back(arch);
    }
  }

  void run() {
    for (const std::string_view call : subject_.handed().calls()) compare(call);
    if (!subject_.profile().default_verdict().allows()) return;
    std::vector<std::string> opened;
    const auto& named = subject_.handed().calls();
    const std::set<std::string_view> own(named.begin(), named.end());
    for (const Arch arch : arches_) {
      for (const syscalls::Entry& entry : syscalls::entries(arch)) {
        if (own.count(entry.name) != 0 || base_allows_all(arch, entry.name)) continue;
        opened.emplace_back(entry.name);
      }
    }
    std::sort(opened.begin(), opened.end());
    opened.erase(std::unique(opened.begin(), opened.end()), opened.end());
    if (opened.empty()) return;
    report_.add(Severity::kError, "/defaultAction", opened,
                format("the default action lets {} calls through that {} refuses, or allows under "
                       "conditions: {}",
                       opened.size(), subject_.settings().base_name, some_of(opened)),
                "refuse by default: SCMP_ACT_ERRNO");
  }

 private:
  // A base that does not list an ABI kills what comes from there.
  bool base_covers(Arch arch) const {
    return arch == syscalls::native_of(arch) || base_.profile().lists(arch);
  }

  bool base_allows_all(Arch arch, std::string_view call) const {
    const Verdict* constant = base_.constant(call);
    return base_covers(arch) && constant != nullptr && constant->allows();
  }

  void compare(std::string_view call) {
    for (const Arch arch : arches_) {
      if (!syscalls::number(arch, call) || base_allows_all(arch, call)) continue;
      const Verdict* own = subject_.handed().constant(call);
      if (own != nullptr && !own->allows()) continue;
      if (compare(arch, call)) return;  // one ABI says it
    }
  }

  bool compare(Arch arch, std::string_view call) {
    const Meaning& after = subject_.meaning(arch, call);
    const std::string& base_name = subject_.settings().base_name;
    const std::string fix = format("allow only what {} allows", base_name);
    if (!base_covers(arch)) {
      if (generate::refuses_all(after, after.everything())) return false;
      report_.add(Severity::kError, subject_.at_call(call), {std::string(call)},
                  format("{} is allowed on {}, which {} does not let in at all", call,
                         syscalls::arch_name(arch), base_name),
                  fix);
      return true;
    }
    const Meaning before(base_.only({&call, 1}), arch, call);
    const auto found = generate::loosened(before, after, after.everything());
    if (!found) {
      report_.add(Severity::kWarning, subject_.at_call(call), {std::string(call)},
                  format("whether {} is looser than in {} could not be told: too many conditions",
                         call, base_name),
                  "use fewer conditions for one call");
      return true;
    }
    if (!*found) return false;
    const Verdict* refusal = base_.constant(call);
    report_.add(Severity::kError, subject_.at_call(call), {std::string(call)},
                refusal != nullptr
                    ? format("{} is allowed; {} answers {}", call, base_name,
                             profile::verdict_text(*refusal))
                    : format("{} is allowed on {}; {} refuses it", call_text(call, **found),
                             syscalls::arch_name(arch), base_name),
                fix);
    return true;
  }

  const LintSubject& subject_;
  filter::Handed base_;
  Report& report_;
  std::vector<Arch> arches_;
};

}  // namespace

void check_compat_open(const LintSubject& subject, Report& report) {
  const auto& listed = subject.profile().parts().architectures;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const auto arch = syscalls::arch_from_oci(listed[i]);
    if (!arch || *arch == syscalls::native_of(*arch) || !subject.covers(*arch)) continue;
    const auto entries = syscalls::entries(*arch);
    const auto allowed = std::count_if(entries.begin(), entries.end(), [&](const auto& entry) {
      return subject.can_allow(*arch, entry.name);
    });
    if (allowed == 0) continue;
    const bool in_list = subject.document().json.find("architectures") != nullptr;
    report.add(Severity::kWarning, in_list ? format("/architectures/{}", i) : "/archMap", {},
               format("the {} entry of the kernel is open with {} calls: every process may use it, "
                      "64-bit programs too, and {}",
                      syscalls::arch_name(*arch), allowed,
                      *arch == Arch::kX32
                          ? "nearly no system has programs for it"
                          : "its own code paths and multiplexed calls have had bugs of their own"),
               format("remove {} when the workload has no such programs", listed[i]));
  }
}

void check_multiplexed_call(const LintSubject& subject, Report& report) {
  if (!subject.covers(Arch::kX86)) return;
  check_entry(subject, "socketcall", report);
  check_entry(subject, "ipc", report);
}

void check_clone_flags(const LintSubject& subject, Report& report) {
  const std::vector<Arch> arches = covered_where(subject, "clone", [&](Arch arch) {
    return subject.allows_bits(arch, "clone", 0, kNamespaceMask);
  });
  if (arches.empty()) return;
  std::vector<std::string> flags;
  for (const std::string_view flag : kNamespaceFlags) {
    const std::uint64_t bit = *syscalls::constant(flag);
    if (subject.allows_bits(arches.front(), "clone", 0, bit)) flags.emplace_back(flag);
  }
  report.add(Severity::kWarning, subject.at_call("clone"), {"clone"},
             format("clone may make new namespaces ({}) on {}: a user namespace gives every "
                    "capability over network, mounts and rules in it, and most public kernel "
                    "exploits begin with one",
                    join(flags, ", "), names_of(arches)),
             "allow clone only when those bits are 0: index 0, SCMP_CMP_MASKED_EQ, value "
             "2114060288 (0x7e020000), valueTwo 0");
}

void check_clone3_allowed(const LintSubject& subject, Report& report) {
  if (!subject.can_allow("clone3")) return;
  report.add(
      Severity::kWarning, subject.at_call("clone3"), {"clone3"},
      "clone3 is allowed: its flags lie behind a pointer, where no filter can see them, so "
      "that every namespace can be made whatever the rule for clone says",
      "answer clone3 with ENOSYS (SCMP_ACT_ERRNO, errnoRet 38): C libraries then call clone");
}

void check_socket_families(const LintSubject& subject, Report& report) {
  std::vector<std::string> open;
  std::size_t closed = 0;
  const std::vector<Arch> arches = covered_where(
      subject, "socket", [&](Arch arch) { return subject.can_allow(arch, "socket"); });
  if (arches.empty()) return;
  for (std::uint32_t family = 0; family < kFamilies; ++family) {
    if (std::find(kUsualFamilies.begin(), kUsualFamilies.end(), family) != kUsualFamilies.end()) {
      continue;
    }
    const bool allowed = std::any_of(arches.begin(), arches.end(), [&](Arch arch) {
      return subject.allows_value(arch, "socket", 0, family);
    });
    if (allowed) {
      open.push_back(syscalls::value_text("socket", 0, family));
    } else {
      ++closed;
    }
  }
  if (open.empty()) return;
  // Those with the most exploits first.
  std::stable_partition(open.begin(), open.end(), [](const std::string& name) {
    return name == "AF_ALG" || name == "AF_VSOCK" || name == "AF_PACKET";
  });
  report.add(
      closed == 0 ? Severity::kWarning : Severity::kNote, subject.at_call("socket"), {"socket"},
      closed == 0 ? format("socket opens every family ({}): each is a part of the kernel that a "
                           "workload rarely uses and that exploits reach through it",
                           some_of(open))
                  : format("socket opens {} families that workloads rarely use: {}", open.size(),
                           some_of(open)),
      "allow the families that the workload uses, a rule each: index 0, "
      "SCMP_CMP_MASKED_EQ, value 4294967295, valueTwo 1 (AF_UNIX), 2 (AF_INET), 10 "
      "(AF_INET6)");
}

void check_dangerous_call(const LintSubject& subject, Report& report) {
  std::vector<std::string> by_default;
  for (const Dangerous& dangerous : dangerous_calls()) {
    if (!subject.can_allow(dangerous.call)) continue;
    if (subject.handed().rules(dangerous.call).empty()) {
      by_default.emplace_back(dangerous.call);
      continue;
    }
    const bool always = subject.handed().constant(dangerous.call) != nullptr;
    report.add(always ? dangerous.severity : Severity::kNote, subject.at_call(dangerous.call),
               {std::string(dangerous.call)},
               format("{} is allowed{}: {}", dangerous.call, always ? "" : " under conditions",
                      dangerous.why),
               "remove it unless the workload needs it");
  }
  if (by_default.empty()) return;
  report.add(
      Severity::kWarning, "/defaultAction", by_default,
      format("the default action lets {} calls through that attacks use and workloads rarely "
             "need: {}",
             by_default.size(), some_of(by_default)),
      "refuse by default, or refuse them by name; docs/lint.md says what each gives");
}

void check_allow_by_default(const LintSubject& subject, Report& report) {
  if (subject.profile().default_verdict().action != Action::kAllow) return;
  report.add(Severity::kWarning, "/defaultAction", {},
             "calls that the profile does not name are allowed: a call that Linux gets tomorrow "
             "too, and every one that was forgotten",
             "refuse by default (SCMP_ACT_ERRNO) and name what is needed: whittle record, whittle "
             "generate");
}

void check_log_by_default(const LintSubject& subject, Report& report) {
  if (subject.profile().default_verdict().action != Action::kLog) return;
  report.add(Severity::kWarning, "/defaultAction", {},
             "calls that the profile does not name are logged and allowed: this is a profile for "
             "trying out, it refuses nothing by default",
             "once the log stays empty write SCMP_ACT_ERRNO");
}

void check_looser_than_base(const LintSubject& subject, Report& report) {
  for (const auto& [family, base] : subject.settings().base) {
    BaseComparison(subject, family, base, report).run();
  }
}

}  // namespace whittle::review
