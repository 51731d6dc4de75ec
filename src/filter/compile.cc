#include "filter/compile.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <set>

#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include "filter/handed.h"
#include "filter/library.h"
#include "filter/libseccomp.h"
#include "filter/stub.h"
#include "syscalls/table.h"

namespace whittle::filter {

namespace {

using profile::Action;
using profile::Condition;
using profile::Profile;
using profile::Rule;
using profile::Verdict;

constexpr int kMostMilliseconds = 60'000;  // of the clock, on a machine that has no time for us
constexpr unsigned kConditionsThatCrunReads = 6;
constexpr std::string_view kDidNotFinish = "libseccomp did not finish";

// libseccomp's word for "SCMP_ARCH_X86_64".
std::string arch_word(std::string_view oci_name) {
  constexpr std::string_view kPrefix = "SCMP_ARCH_";
  if (oci_name.substr(0, kPrefix.size()) == kPrefix) oci_name.remove_prefix(kPrefix.size());
  std::string name(oci_name);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

bool repeats_an_index(std::span<const Condition> conditions) {
  std::set<std::uint32_t> seen;
  for (const Condition& condition : conditions) {
    if (!seen.insert(condition.index).second) return true;
  }
  return false;
}

// Why libseccomp refused a rule, in the words of the profile.
tl::unexpected<Error> rule_error(int error, const std::string& name, std::size_t rule) {
  const std::string place = format("/syscalls/{}", rule);
  switch (error) {
    case EEXIST:
      return input_error(format("libseccomp refuses the rule for {}: another rule with the same "
                                "conditions has a different action",
                                name),
                         place, "keep one of the two; a runtime would not start the container");
    case EINVAL:
      return input_error(
          format("libseccomp refuses the rule for {}: conditions or action not valid", name), place,
          "libseccomp takes one condition for an argument in a rule, and errno values below 4096");
    case EDOM:
    case EOPNOTSUPP:
      return input_error(format("libseccomp can't express the rule for {}", name), place);
    default:
      return input_error(
          format("libseccomp refuses the rule for {}: {}", name, std::strerror(error)), place);
  }
}

// What the child process does: profile -> libseccomp -> program.
class Builder {
 public:
  Builder(const Profile& profile, Flavour flavour, Libseccomp& library)
      : profile_(profile), flavour_(flavour), library_(library) {}

  // Writes the program to `program_fd`; returns the skipped names.
  Result<std::set<std::string>> build(int program_fd) {
    TRY(start());
    TRY(add_architectures());
    for (std::size_t i = 0; i < profile_.rules().size(); ++i) TRY(add_rule(i));
    TRY(write_stub(program_fd));
    TRY(write_by_document(program_fd));
    if (const int error = library_.export_bpf(); error < 0) {
      return input_error(format("libseccomp made no program: {}", std::strerror(-error)));
    }
    return std::move(skipped_);
  }

 private:
  Result<void> start() {
    if (flavour_ == Flavour::kRunc && profile_.default_verdict().action == Action::kNotify) {
      return input_error("runc refuses SCMP_ACT_NOTIFY as the default action", "/defaultAction");
    }
    if (library_.init(libseccomp_action(profile_.default_verdict())) < 0) {
      return input_error("libseccomp refuses the default action", "/defaultAction");
    }
    return {};
  }

  // The native ABI first, as seccomp_init() has it in a runtime, then the others as listed.
  Result<void> add_architectures() {
    const auto native = native_arch(profile_);
    TRY(add_architecture(std::string(syscalls::oci_arch(native)), "/architectures"));
    if (native != syscalls::native_of(syscalls::host_arch())) {
      library_.arch_remove_native();
    }
    const auto& listed = profile_.parts().architectures;
    for (std::size_t i = 0; i < listed.size(); ++i) {
      TRY(add_architecture(listed[i], format("/architectures/{}", i)));
    }
    return {};
  }

  Result<void> add_architecture(const std::string& name, const std::string& place) {
    const std::uint32_t token = library_.arch_resolve_name(arch_word(name));
    if (token == 0) return input_error("libseccomp does not know " + name, place);
    const int error = library_.arch_add(token);
    if (error == -EDOM) {
      return input_error(name + " has the other byte order: libseccomp can't mix the two", place);
    }
    if (error < 0 && error != -EEXIST) {
      return input_error(format("libseccomp refuses {}: {}", name, std::strerror(-error)), place);
    }
    return {};
  }

  Result<void> add_rule(std::size_t index) {
    const Rule& rule = profile_.rules()[index];
    const std::uint32_t action = libseccomp_action(rule.verdict);
    if (action == libseccomp_action(profile_.default_verdict())) return {};
    for (const std::string& name : rule.names) {
      if (flavour_ == Flavour::kRunc && name == "write" && rule.verdict.action == Action::kNotify) {
        return input_error("runc refuses SCMP_ACT_NOTIFY for write", format("/syscalls/{}", index));
      }
      const auto number = knows(name) ? library_.syscall_resolve_name(name) : std::nullopt;
      if (!number) {
        if (!known_by_document_only(name)) skipped_.insert(name);
      } else if (const int error = add_call(rule, action, *number); error < 0) {
        return rule_error(-error, name, index);
      }
    }
    return {};
  }

  int add_call(const Rule& rule, std::uint32_t action, int number) {
    std::span<const Condition> conditions = rule.args;
    if (flavour_ == Flavour::kCrun) {
      conditions =
          conditions.first(std::min<std::size_t>(conditions.size(), kConditionsThatCrunReads));
    }
    // Runtimes read a rule with a repeated index as one rule for each of its conditions.
    if (flavour_ == Flavour::kNative || !repeats_an_index(conditions)) {
      return library_.rule_add(action, number, conditions);
    }
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      const int error = library_.rule_add(action, number, conditions.subspan(i, 1));
      if (error < 0) return error;
    }
    return 0;
  }

  Result<void> write_stub(int program_fd) {
    if (flavour_ != Flavour::kRunc || !has_stub(profile_.default_verdict())) return {};
    return write(program_fd, enosys_stub(newest_calls()));
  }

  // For each listed ABI, in order, the largest number that the profile names; 0 when it names none.
  std::vector<NewestCall> newest_calls() {
    std::vector<NewestCall> calls;
    for (const std::string& listed : profile_.parts().architectures) {
      const std::uint32_t token = library_.arch_resolve_name(arch_word(listed));
      const bool x32 = syscalls::arch_from_oci(listed) == syscalls::Arch::kX32;
      NewestCall newest{x32 ? syscalls::audit_arch(syscalls::Arch::kX32) : token, x32, 0};
      for (const Rule& rule : profile_.rules()) {
        for (const std::string& name : rule.names) {
          newest.nr = std::max(newest.nr, number_on(listed, token, name));
        }
      }
      calls.push_back(newest);
    }
    return calls;
  }

  // 0: a call of other architectures, or of none.
  std::uint32_t number_on(const std::string& oci_arch, std::uint32_t token,
                          const std::string& name) {
    if (!knows(name)) return 0;
    if (newer_by_document()) {
      const auto arch = syscalls::arch_from_oci(oci_arch);
      if (arch && is_by_document(*arch, name)) return syscalls::number(*arch, name).value_or(0);
    }
    const auto number = library_.syscall_resolve_name_arch(token, name);
    return number && *number > 0 ? static_cast<std::uint32_t>(*number) : 0;
  }

  // Whether a newer release that is asked about has a new call there, and what compiles does not:
  // it may know the name, and not that the architecture has it too.
  bool is_by_document(syscalls::Arch arch, const std::string& name) {
    if (!newer_by_document() || !new_names().contains(name) || !libseccomp_knows(name)) {
      return false;
    }
    const std::string word = arch_word(syscalls::oci_arch(arch));
    const auto number = library_.syscall_resolve_name_arch(library_.arch_resolve_name(word), name);
    return !number || *number < 0;
  }

  // What compiles knows more names than an older release that is asked about.
  static bool knows(const std::string& name) {
    return libseccomp().source != Library::Source::kDocumented || libseccomp_knows(name);
  }

  // The answers to calls that only a newer release knows, which is asked about: in front of the
  // filter of what compiles. Calls that look at arguments are left out: Compiled::untold.
  Result<void> write_by_document(int program_fd) {
    if (!newer_by_document()) return {};
    const Handed handed(profile_, flavour_);
    Program program;
    for (const syscalls::Arch arch : covered_arches(profile_)) {
      for (const std::string_view call : handed.calls()) {
        const auto number = syscalls::number(arch, call);
        const Verdict* constant = handed.constant(call);
        if (!number || constant == nullptr || handed.rules(call).empty() ||
            !is_by_document(arch, std::string(call))) {
          continue;
        }
        const std::uint32_t action = libseccomp_action(*constant);
        program.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, arch)});
        program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 3, syscalls::audit_arch(arch)});
        program.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)});
        program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, *number});
        program.push_back({BPF_RET | BPF_K, 0, 0, action});
      }
    }
    return write(program_fd, program);
  }

  static Result<void> write(int program_fd, const Program& program) {
    const auto size = static_cast<ssize_t>(program.size() * sizeof(sock_filter));
    if (::write(program_fd, program.data(), static_cast<std::size_t>(size)) == size) return {};
    return errno_error(ErrorKind::kEnvironment, "can't keep the compiled filter", errno);
  }

  const Profile& profile_;
  Flavour flavour_;
  Libseccomp& library_;
  std::set<std::string> skipped_;
};

// What the child tells its parent: a letter, then texts that end with a NUL each. 'k' and the
// skipped names, or the message, the place and the hint of an error: 'e' of input, 'n' of the
// environment.
std::string report_of(const Result<std::set<std::string>>& skipped) {
  std::string report;
  const auto append = [&report](const std::string& text) { report += text + '\0'; };
  if (skipped) {
    report = "k";
    for (const std::string& name : *skipped) append(name);
  } else {
    report = skipped.error().kind == ErrorKind::kEnvironment ? "n" : "e";
    append(skipped.error().message);
    append(skipped.error().place);
    append(skipped.error().hint);
  }
  return report;
}

Result<std::set<std::string>> build(const Profile& profile, Flavour flavour, int program_fd,
                                    std::unique_ptr<Libseccomp>& library) {
  library = own_libseccomp(program_fd);
  if (libseccomp().source == Library::Source::kFile) {
    TRY_ASSIGN(library, libseccomp_of(libseccomp().file, program_fd));
  }
  auto built = Builder(profile, flavour, *library).build(program_fd);
  const auto ended = library->ended();
  if (!ended) return built;
  // As it would have ended us.
  if (*ended == SIGPROF || *ended == SIGXCPU) ::raise(*ended);
  return input_error(
      *ended == 0 ? std::string("this libseccomp gave up on the profile")
                  : format("this libseccomp crashes on the profile: {}", signal_name(*ended)),
      {}, "try another build of it");
}

// From now on; SIGPROF ends the child.
void limit_processor_time() {
  const itimerval limit{{0, 0}, {0, kMostProcessorMicroseconds}};
  ::setitimer(ITIMER_PROF, &limit, nullptr);
}

// To the parent, all of it.
void send_all(int report_fd, std::string_view report) {
  while (!report.empty()) {
    const ssize_t n = ::write(report_fd, report.data(), report.size());
    if (n < 0 && errno != EINTR) ::_exit(1);
    if (n > 0) report.remove_prefix(static_cast<std::size_t>(n));
  }
}

// To the parent, with its length in front.
void send_report(int report_fd, const std::string& report) {
  const std::size_t length = report.size();
  send_all(report_fd, {reinterpret_cast<const char*>(&length), sizeof length});
  send_all(report_fd, report);
}

// First of all in a child that compiles.
void prepare_child() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // libseccomp takes some 1 MB in small pieces, and walks lists of them again and again. malloc
  // puts those in the order in which they are made as long as it need not grow the heap, which it
  // does in small steps: a tenth of the time of a compilation (docs/performance.md).
  ::mallopt(M_TOP_PAD, 4 << 20);
}

[[noreturn]] void run_child(const Profile& profile, Flavour flavour, int program_fd,
                            int report_fd) {
  prepare_child();
  limit_processor_time();
  const rlimit last_limit{2, 2};  // seconds; whatever became of the signal
  ::setrlimit(RLIMIT_CPU, &last_limit);
  std::unique_ptr<Libseccomp> library;  // never released: this process ends
  send_report(report_fd, report_of(build(profile, flavour, program_fd, library)));
  ::_exit(0);
}

// `size` bytes; false when the child is gone, or has not written for too long.
bool receive(int fd, char* into, std::size_t size) {
  while (size > 0) {
    pollfd poll_fd{fd, POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, kMostMilliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t n = ::read(fd, into, size);
    if (n <= 0) return false;
    into += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

std::optional<std::string> receive_report(int fd) {
  std::size_t length = 0;
  if (!receive(fd, reinterpret_cast<char*>(&length), sizeof length)) return std::nullopt;
  std::string report(length, '\0');
  if (!receive(fd, report.data(), length)) return std::nullopt;
  return report;
}

tl::unexpected<Error> loop_error() {
  return input_error(
      format("{} within {} ms of processor time: it loops for ever on this profile, or the profile "
             "is far too large",
             kDidNotFinish, kMostProcessorMicroseconds / 1000),
      {}, "a runtime would hang on it too; use fewer rules with several conditions for one call");
}

tl::unexpected<Error> size_error(std::size_t instructions) {
  return input_error(
      format("the filter has {} instructions, the kernel takes {}", instructions, BPF_MAXINSNS), {},
      "list fewer conditions or fewer architectures");
}

// The skipped names that a report tells, or its error.
Result<std::vector<std::string>> skipped_of(const std::string& report) {
  auto texts = split(report, '\0');
  if (report.empty() || (report.front() != 'k' && texts.size() < 4)) {
    return bug("the filter compiler ended without an answer");
  }
  texts.front().erase(0, 1);
  texts.pop_back();  // what follows the last NUL: nothing
  if (report.front() == 'e') return input_error(texts[0], texts[1], texts[2]);
  if (report.front() == 'n') return environment_error(texts[0], texts[1], texts[2]);
  return texts;
}

Result<Program> read_program(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size < 0 || size % static_cast<off_t>(sizeof(sock_filter)) != 0) {
    return bug("the compiled filter is not a whole number of instructions");
  }
  Program program(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(fd, program.data(), static_cast<std::size_t>(size), 0) != size) {
    return errno_error(ErrorKind::kEnvironment, "can't read the compiled filter", errno);
  }
  if (program.size() > BPF_MAXINSNS) return size_error(program.size());
  return program;
}

}  // namespace

bool compiler_looped(const Error& error) { return error.message.starts_with(kDidNotFinish); }

syscalls::Arch native_arch(const Profile& profile) {
  const auto host = syscalls::native_of(syscalls::host_arch());
  const auto& listed = profile.arches();
  const auto is_host = [host](syscalls::Arch arch) { return syscalls::native_of(arch) == host; };
  if (listed.empty() || std::any_of(listed.begin(), listed.end(), is_host)) return host;
  return syscalls::native_of(listed.front());
}

std::vector<syscalls::Arch> covered_arches(const Profile& profile) {
  const auto native = native_arch(profile);
  std::vector<syscalls::Arch> arches;
  for (const syscalls::Arch arch : syscalls::kAllArches) {
    if (arch == native || profile.lists(arch)) arches.push_back(arch);
  }
  return arches;
}

Compilation::Compilation(Compilation&& other) noexcept
    : program_(std::move(other.program_)),
      report_(std::move(other.report_)),
      child_(std::exchange(other.child_, 0)),
      untold_(std::move(other.untold_)) {}

Compilation& Compilation::operator=(Compilation&& other) noexcept {
  std::swap(program_, other.program_);
  std::swap(report_, other.report_);
  std::swap(child_, other.child_);
  std::swap(untold_, other.untold_);
  return *this;
}

Compilation::~Compilation() {
  if (child_ == 0) return;
  ::kill(child_, SIGKILL);
  wait();
}

int Compilation::wait() {
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) continue;
  child_ = 0;
  return status;
}

namespace {

// Calls of which the release that is asked about may make something else than what compiles.
std::vector<std::string> untold(const Profile& profile, Flavour flavour) {
  std::vector<std::string> calls;
  if (libseccomp().source != Library::Source::kDocumented) return calls;
  const Handed handed(profile, flavour);
  for (const std::string_view call : handed.calls()) {
    const std::string name(call);
    const bool left_out = known_by_document_only(name) && handed.constant(call) == nullptr;
    if (left_out || !compiled_as_written(handed.rules(call))) calls.push_back(name);
  }
  std::sort(calls.begin(), calls.end());
  return calls;
}

}  // namespace

Result<Compilation> Compilation::start(const Profile& profile, Flavour flavour) {
  UniqueFd program_fd(::memfd_create("whittle-filter", MFD_CLOEXEC));
  int ends[2];
  if (!program_fd.valid() || ::pipe2(ends, O_CLOEXEC) != 0) {
    return errno_error(ErrorKind::kEnvironment, "can't start the filter compiler", errno);
  }
  UniqueFd report_fd(ends[0]);
  const UniqueFd child_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return errno_error(ErrorKind::kEnvironment, "can't start a process", errno);
  if (child == 0) run_child(profile, flavour, program_fd.get(), child_end.get());
  Compilation started(std::move(program_fd), std::move(report_fd), child);
  started.untold_ = untold(profile, flavour);
  return started;
}

Result<Compiled> Compilation::finish() {
  const std::optional<std::string> report = receive_report(report_.get());
  if (!report) {
    // Ended already, by SIGPROF, or without an answer for too long.
    ::kill(child_, SIGKILL);
    if (ExitStatus::from_wait(wait()).signal != 0) return loop_error();
    return bug("the filter compiler ended without an answer");
  }
  TRY_ASSIGN(std::vector<std::string> texts, skipped_of(*report));
  TRY_ASSIGN(Program program, read_program(program_.get()));
  return Compiled{std::move(program), std::move(texts), std::move(untold_)};
}

Result<Compiled> compile(const Profile& profile, Flavour flavour) {
  TRY_ASSIGN(Compilation compilation, Compilation::start(profile, flavour));
  return compilation.finish();
}

namespace {

// Reports of many profiles, each with its length in front.
[[noreturn]] void run_many(std::span<const profile::Profile* const> profiles, Flavour flavour,
                           int program_fd, int report_fd) {
  prepare_child();
  for (const Profile* profile : profiles) {
    limit_processor_time();
    if (::ftruncate(program_fd, 0) != 0 || ::lseek(program_fd, 0, SEEK_SET) != 0) ::_exit(1);
    std::unique_ptr<Libseccomp> library;
    auto skipped = build(*profile, flavour, program_fd, library);
    const auto size = static_cast<std::size_t>(::lseek(program_fd, 0, SEEK_END));
    if (skipped && size > BPF_MAXINSNS * sizeof(sock_filter)) {
      skipped = size_error(size / sizeof(sock_filter));
    }
    send_report(report_fd, report_of(skipped));
  }
  ::_exit(0);
}

}  // namespace

std::vector<Result<std::vector<std::string>>> check_compiles(
    std::span<const profile::Profile* const> profiles, Flavour flavour) {
  std::vector<Result<std::vector<std::string>>> outcomes;
  while (outcomes.size() < profiles.size()) {
    const UniqueFd program_fd(::memfd_create("whittle-filter", MFD_CLOEXEC));
    int ends[2];
    if (!program_fd.valid() || ::pipe2(ends, O_CLOEXEC) != 0) {
      outcomes.resize(profiles.size(), errno_error(ErrorKind::kEnvironment,
                                                   "can't start the filter compiler", errno));
      break;
    }
    const UniqueFd report_fd(ends[0]);
    UniqueFd child_end(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
      run_many(profiles.subspan(outcomes.size()), flavour, program_fd.get(), child_end.get());
    }
    if (child < 0) {
      outcomes.resize(profiles.size(),
                      errno_error(ErrorKind::kEnvironment, "can't start a process", errno));
      break;
    }
    child_end.reset();
    while (outcomes.size() < profiles.size()) {
      const std::optional<std::string> report = receive_report(report_fd.get());
      if (!report) break;
      outcomes.push_back(skipped_of(*report));
    }
    ::kill(child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) continue;
    // It ended on the next one: that is what is wrong with it. Another child has the rest.
    if (outcomes.size() < profiles.size()) outcomes.emplace_back(loop_error());
  }
  return outcomes;
}

}  // namespace whittle::filter
