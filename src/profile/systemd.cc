#include "profile/systemd.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>

#include "base/embedded.h"
#include "base/errno_name.h"
#include "base/text.h"
#include "syscalls/table.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(systemd_groups_tsv);

namespace whittle::profile {

namespace {

constexpr std::size_t kMostBytes = 1U << 20U;
constexpr std::size_t kMostNameBytes = 128;
constexpr std::uint64_t kMostErrno = 4095;
constexpr std::string_view kFilterKey = "SystemCallFilter";
constexpr std::string_view kErrnoKey = "SystemCallErrorNumber";
constexpr std::string_view kArchKey = "SystemCallArchitectures";
constexpr std::string_view kPointer = "/Service/";
constexpr unsigned kMostGroupDepth = 8;

// Settings that load a filter of their own beside this one, or log calls (systemd.exec(5)).
constexpr std::array<std::string_view, 13> kOtherFilters = {
    "SystemCallLog",    "RestrictAddressFamilies", "RestrictNamespaces",   "RestrictRealtime",
    "RestrictSUIDSGID", "MemoryDenyWriteExecute",  "LockPersonality",      "ProtectClock",
    "ProtectHostname",  "ProtectKernelLogs",       "ProtectKernelModules", "ProtectKernelTunables",
    "PrivateDevices"};

struct ArchName {
  std::string_view systemd;
  std::string_view oci;
};
// systemd.unit(5), ConditionArchitecture=; and x32, mips64-n32, mips64-le-n32 (systemd.exec(5)).
constexpr std::array<ArchName, 17> kArchNames = {{
    {"x86", "SCMP_ARCH_X86"},
    {"x86-64", "SCMP_ARCH_X86_64"},
    {"x32", "SCMP_ARCH_X32"},
    {"arm", "SCMP_ARCH_ARM"},
    {"arm64", "SCMP_ARCH_AARCH64"},
    {"mips", "SCMP_ARCH_MIPS"},
    {"mips64", "SCMP_ARCH_MIPS64"},
    {"mips64-n32", "SCMP_ARCH_MIPS64N32"},
    {"mips-le", "SCMP_ARCH_MIPSEL"},
    {"mips64-le", "SCMP_ARCH_MIPSEL64"},
    {"mips64-le-n32", "SCMP_ARCH_MIPSEL64N32"},
    {"ppc", "SCMP_ARCH_PPC"},
    {"ppc64", "SCMP_ARCH_PPC64"},
    {"ppc64-le", "SCMP_ARCH_PPC64LE"},
    {"s390", "SCMP_ARCH_S390"},
    {"s390x", "SCMP_ARCH_S390X"},
    {"riscv64", "SCMP_ARCH_RISCV64"},
}};

using Groups = std::unordered_map<std::string_view, std::vector<std::string_view>>;

const Groups& groups() {
  static const Groups all = [] {
    Groups made;
    for (const auto& row : syscalls::tsv_rows(embedded_systemd_groups_tsv())) {
      made.emplace(row[0], syscalls::tsv_list(row[1]));
    }
    return made;
  }();
  return all;
}

void add_group(std::string_view name, unsigned depth, std::set<std::string>& calls) {
  const auto group = groups().find(name);
  if (group == groups().end() || depth > kMostGroupDepth) return;
  for (const std::string_view member : group->second) {
    if (member.starts_with('@')) {
      add_group(member, depth + 1, calls);
    } else {
      calls.emplace(member);
    }
  }
}

bool is_word(std::string_view word) {
  return !word.empty() && word.substr(0, word.find(':')).size() <= kMostNameBytes &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("_-@:").find(c) != std::string_view::npos;
         });
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (c != ' ' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

// A setting, or a line without a key.
struct Line {
  std::size_t number = 0;
  std::string key;
  std::string value;
};

// As systemd reads unit files: a line that ends in a backslash goes on in the next one, comments in
// between are passed over.
std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  std::string whole;
  std::size_t number = 0;
  std::size_t first = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    std::string_view line = trim(raw);
    if (line.starts_with('#') || line.starts_with(';')) continue;
    if (whole.empty()) first = number;
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line.remove_suffix(1);
    whole += line;
    if (goes_on) {
      whole += ' ';
      continue;
    }
    const std::string_view done = trim(whole);
    if (!done.empty() && !done.starts_with('[')) {
      const std::size_t equals = done.find('=');
      const bool keyed = equals != std::string_view::npos;
      lines.push_back({first, std::string(keyed ? trim(done.substr(0, equals)) : ""),
                       std::string(keyed ? trim(done.substr(equals + 1)) : done)});
    }
    whole.clear();
  }
  return lines;
}

bool is_ours(const Line& line) {
  return line.key == kFilterKey || line.key == kErrnoKey || line.key == kArchKey;
}

// A word that begins a list of calls and nothing else that people write.
bool begins_a_list(std::string_view word) {
  if (word.starts_with('~')) word.remove_prefix(1);
  const std::string name(word.substr(0, word.find(':')));
  return is_word(word) && (name.starts_with('@') || syscalls::is_known(name));
}

// Reads the settings in their order.
class Reader {
 public:
  Reader(std::string_view place, const ReadOptions& options) : place_(place), options_(options) {}

  Result<Document> read(std::string_view text) {
    const std::vector<Line> lines = lines_of(text);
    const bool keyed = std::any_of(lines.begin(), lines.end(), is_ours);
    for (const Line& line : lines) {
      line_ = line.number;
      if (line.key == kErrnoKey) {
        TRY_ASSIGN(errno_, read_errno(line.value));
      } else if (line.key == kArchKey) {
        TRY(add_arches(line.value));
      } else if (line.key == kFilterKey || (!keyed && line.key.empty())) {
        TRY(add_filter(line.value));
      } else if (!line.key.empty()) {
        note_other(line);
      } else {
        return error("a line without a setting", "write SystemCallFilter= before the calls");
      }
    }
    return finish();
  }

 private:
  // What is answered to a call in the list: allow in a list of what is allowed, the general refusal
  // in one of what is refused, or a refusal of its own.
  using Answer = std::optional<Verdict>;

  tl::unexpected<Error> error(std::string message, std::string hint = {}) const {
    return input_error(std::move(message), format("{}:{}", place_, line_), std::move(hint));
  }

  void warn(std::string_view text) {
    document_.warnings.push_back(format("{}:{}: {}", place_, line_, text));
  }

  Result<Verdict> read_errno(const std::string& word) const {
    if (word.empty() || word == "kill") return Verdict{Action::kKillProcess, 0};
    if (const auto number = parse_u64(word); number && *number <= kMostErrno) {
      return Verdict{Action::kErrno, static_cast<std::uint16_t>(*number)};
    }
    if (const auto number = errno_from_name(word)) {
      return Verdict{Action::kErrno, static_cast<std::uint16_t>(*number)};
    }
    return error(format("unknown errno \"{}\"", printable(word)),
                 "write a name of errno(3), a number up to 4095, or kill");
  }

  Result<void> add_arches(const std::string& value) {
    if (value.empty()) {
      arches_.reset();
      return {};
    }
    if (!arches_) arches_.emplace();
    for (const std::string& word : words_of(value)) {
      std::string oci;
      if (word == "native") oci = syscalls::oci_arch(options_.setting.arch);
      for (const ArchName& name : kArchNames) {
        if (word == name.systemd) oci = name.oci;
      }
      if (oci.empty()) {
        return error(format("unknown architecture \"{}\"", printable(word)),
                     "known are x86-64, x86, x32, arm64, arm, native and others of "
                     "systemd.unit(5)");
      }
      if (std::find(arches_->begin(), arches_->end(), oci) == arches_->end()) {
        arches_->push_back(std::move(oci));
      }
    }
    return {};
  }

  Result<void> add_filter(std::string_view value) {
    if (value.empty()) {
      allows_.reset();
      calls_.clear();
      return {};
    }
    const bool refuses = value.starts_with('~');
    if (refuses) value = trim(value.substr(1));
    if (!allows_) {
      allows_ = !refuses;
      if (*allows_) TRY(add_word("@default", std::nullopt, false));
    }
    for (const std::string& word : words_of(value)) {
      if (!is_word(word)) {
        return error(format("\"{}\" is no system call and no group", printable(word)));
      }
      const std::size_t colon = word.find(':');
      Answer answer;
      if (colon != std::string::npos) {
        if (!refuses) {
          warn(format("{}: systemd ignores calls with an errno in a list of allowed ones",
                      printable(word)));
          continue;
        }
        TRY_ASSIGN(answer, read_errno(word.substr(colon + 1)));
      }
      TRY(add_word(word.substr(0, colon), answer, refuses));
    }
    return {};
  }

  Result<void> add_word(const std::string& name, const Answer& answer, bool refuses) {
    if (!name.starts_with('@')) {
      if (name.empty()) return error("an errno without a call");
      add_call(name, answer, refuses);
      return {};
    }
    const auto members = systemd_group(name);
    if (!members) {
      std::vector<std::string> known;
      for (const auto& group : groups()) known.emplace_back(group.first);
      std::sort(known.begin(), known.end());
      const auto near = nearest(name, known);
      return error(
          format("systemd {} has no group \"{}\"", systemd_groups_version(), printable(name)),
          near ? format("did you mean {}?", *near) : "`systemd-analyze syscall-filter` lists them");
    }
    for (const std::string& member : *members) add_call(member, answer, refuses);
    return {};
  }

  // seccomp_parse_syscall_filter() of src/shared/seccomp-util.c.
  void add_call(const std::string& name, const Answer& answer, bool refuses) {
    if (refuses != *allows_ || answer) {
      calls_[name] = answer;
    } else {
      calls_.erase(name);
    }
  }

  void note_other(const Line& line) {
    const bool other =
        std::find(kOtherFilters.begin(), kOtherFilters.end(), line.key) != kOtherFilters.end();
    const bool off = line.value.empty() || line.value == "no" || line.value == "false" ||
                     line.value == "off" || line.value == "0";
    if (!other || off) return;
    document_.beyond.push_back(
        {std::string(kPointer) + line.key,
         format("{}= (line {}) is not part of SystemCallFilter=, and not read", line.key,
                line.number)});
  }

  Result<Document> finish() {
    if (!allows_ && !arches_) {
      return input_error("there is no SystemCallFilter= in it", std::string(place_));
    }
    Profile::Parts parts;
    const bool allows = allows_.value_or(false);
    const Verdict allow{Action::kAllow, 0};
    parts.default_verdict = allows ? errno_ : allow;
    std::map<std::pair<Action, std::uint16_t>, std::vector<std::string>> by_verdict;
    for (const auto& [name, answer] : calls_) {
      const Verdict verdict = answer ? *answer : allows ? allow : errno_;
      by_verdict[{verdict.action, verdict.data}].push_back(name);
    }
    for (auto& [verdict, names] : by_verdict) {
      document_.origins.push_back(parts.rules.size());
      parts.rules.push_back({std::move(names), {verdict.first, verdict.second}, {}});
      document_.rule_pointers.push_back(std::string(kPointer) + std::string(kFilterKey));
    }
    parts.architectures = arches_ ? *arches_ : family();
    document_.form = Form::kSystemd;
    document_.profile = Profile(std::move(parts));
    return std::move(document_);
  }

  std::vector<std::string> family() const {
    std::vector<std::string> all;
    for (const syscalls::Arch arch : syscalls::kAllArches) {
      if (syscalls::native_of(arch) == syscalls::native_of(options_.setting.arch)) {
        all.emplace_back(syscalls::oci_arch(arch));
      }
    }
    return all;
  }

  std::string_view place_;
  const ReadOptions& options_;
  std::size_t line_ = 0;
  std::optional<bool> allows_;  // what the list is one of; nullopt: there is none yet
  std::map<std::string, Answer> calls_;
  Verdict errno_{Action::kKillProcess, 0};
  std::optional<std::vector<std::string>> arches_;
  Document document_;
};

// "EPERM", or a number where systemd knows no name (it takes those of errno(3)).
std::string errno_word(const Verdict& verdict) {
  if (verdict.action == Action::kKillProcess) return "kill";
  constexpr std::uint16_t kLastName = 133;  // EHWPOISON
  const bool named = verdict.data != 0 && verdict.data <= kLastName;
  const std::string name = errno_name(verdict.data);
  return named && errno_from_name(name) ? name : format("{}", verdict.data);
}

void append_filter(std::string_view prefix, const std::vector<std::string>& words,
                   std::string& out) {
  constexpr std::size_t kColumns = 100;
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty() && line.size() + 1 + word.size() > kColumns) {
      out += line + "\n";
      line.clear();
    }
    line += line.empty() ? format("{}={}{}", kFilterKey, prefix, word) : " " + word;
  }
  if (!line.empty()) out += line + "\n";
}

}  // namespace

bool looks_like_systemd(std::string_view text) {
  if (text.size() > kMostBytes || trim(text).starts_with('{')) return false;
  const std::vector<Line> lines = lines_of(text);
  if (std::any_of(lines.begin(), lines.end(), is_ours)) return true;
  if (lines.empty() || !lines.front().key.empty()) return false;
  const auto words = words_of(lines.front().value);
  return !words.empty() &&
         begins_a_list(words.front() == "~" && words.size() > 1 ? words[1] : words.front());
}

Result<Document> read_systemd(std::string_view text, std::string_view place,
                              const ReadOptions& options) {
  if (text.size() > kMostBytes) {
    return input_error(format("{} bytes are over the limit of {}", text.size(), kMostBytes),
                       std::string(place));
  }
  return Reader(place, options).read(text);
}

std::optional<std::vector<std::string>> systemd_group(std::string_view name) {
  if (groups().find(name) == groups().end()) return std::nullopt;
  std::set<std::string> calls;
  add_group(name, 0, calls);
  return std::vector<std::string>(calls.begin(), calls.end());
}

std::string_view systemd_groups_version() {
  return syscalls::tsv_comment(embedded_systemd_groups_tsv(), "systemd");
}

std::string_view systemd_arch(std::string_view oci_arch) {
  for (const ArchName& name : kArchNames) {
    if (name.oci == oci_arch) return name.systemd;
  }
  return {};
}

std::string write_systemd(const Profile& profile) {
  std::set<std::string> allowed;
  std::map<std::string, Verdict> refused;
  for (const Rule& rule : profile.rules()) {
    for (const std::string& name : rule.names) {
      if (rule.verdict.allows()) {
        allowed.insert(name);
      } else {
        refused[name] = rule.verdict;
      }
    }
  }
  const Verdict& other = profile.default_verdict();
  std::vector<std::string> less;
  std::string text = "[Service]\nSystemCallArchitectures=";
  std::vector<std::string> arches;
  for (const std::string& arch : profile.parts().architectures) {
    arches.emplace_back(systemd_arch(arch));
  }
  std::sort(arches.begin(), arches.end());
  text += (arches.empty() ? "native" : join(arches, " ")) + "\n";
  if (other.action == Action::kErrno) text += format("{}={}\n", kErrnoKey, errno_word(other));
  if (!other.allows()) {
    // systemd adds @default to every list of what is allowed.
    const auto implied = systemd_group("@default");
    for (const std::string& name : *implied) {
      if (allowed.count(name) == 0 && refused.count(name) == 0) less.push_back(name);
    }
    std::vector<std::string> words(allowed.begin(), allowed.end());
    if (words.empty()) words.emplace_back("@default");
    append_filter("", words, text);
  }
  for (const auto& [name, verdict] : refused) {
    less.push_back(format("{}:{}", name, errno_word(verdict)));
  }
  std::sort(less.begin(), less.end());
  append_filter("~", less, text);
  return text;
}

}  // namespace whittle::profile
