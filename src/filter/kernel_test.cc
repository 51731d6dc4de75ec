// The kernel, the evaluator and the decision of the same filters, asked the same calls: one answer.
//
// No call is ever executed. Every verdict but an errno is replaced by an errno of its own before
// the filter is loaded into a child process: whatever the child calls then returns an errno that
// tells the verdict. Not even exit is executed: the results come through shared memory, and the
// parent ends the child. There are three ways into the kernel: `syscall` for x86_64 and, by bit 30,
// x32 (a kernel without x32 runs the filter all the same), and `int 0x80` for x86.
//
// Left out are 335 (uretprobe) and 336 (uprobe) of x86_64: where the kernel has them it executes
// them without asking a filter.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <map>
#include <new>

#include "filter/compact.h"
#include "filter/compare.h"
#include "filter/compile.h"
#include "filter/document.h"
#include "filter/faithful.h"
#include "filter/random_rules.h"
#include "profile/baseline.h"
#include "syscalls/table.h"

#if defined(__x86_64__) && !defined(__ILP32__)
// int whittle_test_int80(unsigned nr, const unsigned long long args[6]): the 32-bit entry, on which
// the kernel takes the low halves.
// long whittle_test_syscall(unsigned long nr, const unsigned long long args[6])
__asm__(R"(
  .text
  .globl whittle_test_int80
  whittle_test_int80:
    push %rbx
    push %rbp
    mov %edi, %eax
    mov 0(%rsi), %ebx
    mov 8(%rsi), %ecx
    mov 16(%rsi), %edx
    mov 32(%rsi), %edi
    mov 40(%rsi), %ebp
    mov 24(%rsi), %esi
    int $0x80
    pop %rbp
    pop %rbx
    ret
  .globl whittle_test_syscall
  whittle_test_syscall:
    mov %rdi, %rax
    mov %rsi, %r11
    mov 0(%r11), %rdi
    mov 8(%r11), %rsi
    mov 16(%r11), %rdx
    mov 24(%r11), %r10
    mov 32(%r11), %r8
    mov 40(%r11), %r9
    syscall
    ret
)");
extern "C" int whittle_test_int80(unsigned nr, const std::uint64_t* args);
extern "C" long whittle_test_syscall(unsigned long nr, const std::uint64_t* args);
#define WHITTLE_KERNEL_ANSWERS 1
#else
static int whittle_test_int80(unsigned, const std::uint64_t*) { return 0; }
static long whittle_test_syscall(unsigned long, const std::uint64_t*) { return 0; }
#define WHITTLE_KERNEL_ANSWERS 0
#endif

namespace whittle::filter {
namespace {

using profile::Profile;
using profile::Verdict;
using syscalls::Arch;

constexpr std::uint16_t kFirstMarker = 2000;  // above every errno that the tests use

struct Call {
  Arch arch = Arch::kX86_64;
  std::uint32_t nr = 0;
  Arguments args{};
};

// The filter with markers, and what they stand for.
struct Marked {
  Program program;
  std::map<std::uint16_t, std::uint32_t> values;  // marker -> SECCOMP_RET_* value
};

Marked mark(const Program& program) {
  Marked marked;
  std::map<std::uint32_t, std::uint16_t> markers;
  marked.program = program;
  for (sock_filter& instruction : marked.program) {
    if (BPF_CLASS(instruction.code) != BPF_RET) continue;
    EXPECT_EQ(BPF_RVAL(instruction.code), BPF_K);
    if ((instruction.k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) continue;
    const auto next = static_cast<std::uint16_t>(kFirstMarker + markers.size());
    const std::uint16_t marker = markers.emplace(instruction.k, next).first->second;
    marked.values[marker] = instruction.k;
    instruction.k = SECCOMP_RET_ERRNO | marker;
  }
  return marked;
}

struct Shared {
  std::atomic<int> state;  // 0: at work; 1: done; 2: the kernel did not take the filter
  std::size_t count;
};

// The child: nothing but the calls, from where the filter is in force.
[[noreturn]] void run_child(const Program& program, const Call* calls, long* results,
                            Shared* shared) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sock_fprog load{static_cast<unsigned short>(program.size()),
                  const_cast<sock_filter*>(program.data())};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &load) != 0) {
    shared->state = 2;
    for (;;) ::pause();
  }
  for (std::size_t i = 0; i < shared->count; ++i) {
    const Call& call = calls[i];
    results[i] = call.arch == Arch::kX86 ? whittle_test_int80(call.nr, call.args.data())
                                         : whittle_test_syscall(call.nr, call.args.data());
  }
  shared->state = 1;
  for (;;) __asm__ volatile("" ::: "memory");
}

// Memory that the child shares with us.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t size)
      : size_(size),
        memory_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~SharedMemory() { ::munmap(memory_, size_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  char* get() const { return static_cast<char*>(memory_); }

 private:
  std::size_t size_;
  void* memory_;
};

// One verdict a call; none when the child did not come to its end.
std::vector<Verdict> ask_kernel(const Program& program, const std::vector<Call>& calls) {
  const Marked marked = mark(program);
  const std::size_t calls_at = 64;
  const std::size_t results_at = calls_at + calls.size() * sizeof(Call);
  const SharedMemory memory(results_at + calls.size() * sizeof(long));
  auto* shared = new (memory.get()) Shared{{0}, calls.size()};
  auto* shared_calls = reinterpret_cast<Call*>(memory.get() + calls_at);
  auto* results = reinterpret_cast<long*>(memory.get() + results_at);
  std::copy(calls.begin(), calls.end(), shared_calls);

  const pid_t child = ::fork();
  if (child == 0) run_child(marked.program, shared_calls, results, shared);
  int status = 0;
  while (shared->state == 0 && ::waitpid(child, &status, WNOHANG) == 0) {
    const timespec moment{0, 200'000};
    ::nanosleep(&moment, nullptr);
  }
  const int state = shared->state;
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  std::vector<Verdict> verdicts;
  if (state != 1) return verdicts;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto number = static_cast<std::uint16_t>(-results[i]);
    const auto marker = marked.values.find(number);
    verdicts.push_back(
        verdict_of(marker != marked.values.end() ? marker->second : SECCOMP_RET_ERRNO | number));
  }
  return verdicts;
}

bool is_native(Arch arch) {
  return arch == Arch::kX86_64 || arch == Arch::kX86 || arch == Arch::kX32;
}

bool passes_by_the_filter(Arch arch, std::uint32_t nr) {
  return arch == Arch::kX86_64 && (nr == 335 || nr == 336);
}

// Values of a word at and beside everything that a path asks of it.
std::vector<std::uint32_t> values_around(const WordConstraint& word) {
  std::vector<std::uint32_t> values = {word.lo - 1, word.lo, word.hi, word.hi + 1};
  const auto add_around = [&values](std::uint32_t mask, std::uint32_t value) {
    values.insert(values.end(), {value, value - 1, value + 1, value | ~mask});
    for (std::uint32_t bit = 1; bit != 0; bit <<= 1U) {
      if ((mask & bit) != 0 && mask != UINT32_MAX) values.push_back(value ^ bit);
    }
  };
  if (word.known_mask != 0) add_around(word.known_mask, word.known_value);
  for (const auto& [mask, value] : word.excluded) add_around(mask, value);
  return values;
}

// The arguments to try with one number: a witness of every way through the filter, and for each
// word of it all values around what is asked.
std::vector<Arguments> arguments_for(const Decision& decision) {
  std::vector<Arguments> all = {Arguments{}, {1, 2, 3, 4, 5, 6}};
  for (const Path& path : decision.paths) {
    std::uint64_t work = UINT64_MAX;
    const auto witnessed = witness(path.words, work);
    EXPECT_TRUE(witnessed);
    if (!witnessed) continue;
    all.push_back(*witnessed);
    for (std::size_t i = 0; i < path.words.size(); ++i) {
      if (path.words[i].is_free()) continue;
      const unsigned shift = i % 2 == 0 ? 0 : 32;
      for (const std::uint32_t value : values_around(path.words[i])) {
        Arguments args = *witnessed;
        args[i / 2] &= ~(std::uint64_t{UINT32_MAX} << shift);
        args[i / 2] |= std::uint64_t{value} << shift;
        all.push_back(args);
      }
    }
  }
  return all;
}

// What the one way that these arguments take answers.
std::optional<Verdict> verdict_in(const Decision& decision, const Arguments& args) {
  std::optional<Verdict> found;
  for (const Path& path : decision.paths) {
    bool matches = true;
    for (std::size_t i = 0; i < path.words.size() && matches; ++i) {
      matches = path.words[i].holds(static_cast<std::uint32_t>(args[i / 2] >> (i % 2 * 32)));
    }
    if (!matches) continue;
    if (found) return std::nullopt;  // two ways: no partition
    found = path.verdict;
  }
  return found;
}

struct Counts {
  std::size_t calls = 0;
  std::size_t kernel_calls = 0;
};

// Evaluator, decision and, for x86's ABIs, the kernel.
void expect_one_answer(const Program& program, std::span<const Arch> arches,
                       const std::vector<Call>& more, Counts& numbers) {
  Decider decider(program);
  std::vector<Call> for_kernel;
  for (const Arch arch : arches) {
    const std::uint32_t bit = arch == Arch::kX32 ? syscalls::kX32Bit : 0;
    std::vector<std::uint32_t> asked;
    for (std::uint32_t nr = 0; nr < 1024; ++nr) asked.push_back(nr | bit);
    asked.insert(asked.end(), {4095 | bit, 0x10000 | bit, 0x3fffffff | bit});
    for (const std::uint32_t nr : asked) {
      const Decision decision = decider.decide(arch, nr);
      ASSERT_TRUE(decision.decided);
      for (Arguments& args : arguments_for(decision)) {
        if (arch == Arch::kX86) {
          for (std::uint64_t& arg : args) arg &= UINT32_MAX;  // what int 0x80 can pass
        }
        ++numbers.calls;
        ASSERT_EQ(verdict_in(decision, args), evaluate_checked(program, call(arch, nr, args)))
            << syscalls::arch_name(arch) << " " << nr;
        if (is_native(arch) && !passes_by_the_filter(arch, nr))
          for_kernel.push_back({arch, nr, args});
      }
    }
  }
  if (WHITTLE_KERNEL_ANSWERS == 0) return;
  std::copy_if(more.begin(), more.end(), std::back_inserter(for_kernel), [](const Call& c) {
    return is_native(c.arch) && !passes_by_the_filter(c.arch, c.nr);
  });
  const std::vector<Verdict> answers = ask_kernel(program, for_kernel);
  ASSERT_EQ(answers.size(), for_kernel.size());
  numbers.kernel_calls += answers.size();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Call& asked = for_kernel[i];
    ASSERT_EQ(answers[i], evaluate_checked(program, call(asked.arch, asked.nr, asked.args)))
        << syscalls::arch_name(asked.arch) << " " << asked.nr << " " << asked.args[0];
  }
}

constexpr std::array kX86Family = {Arch::kX86_64, Arch::kX86, Arch::kX32};
constexpr std::array kArmFamily = {Arch::kAarch64, Arch::kArm};

std::span<const Arch> family(Arch native) {
  if (native == Arch::kAarch64) return kArmFamily;
  return kX86Family;
}

TEST(Kernel, AgreesOnTheProfilesOfDockerAndPodman) {
  Counts numbers;
  for (const std::string_view id : {"docker", "podman", "docker@29.4.3", "containerd"}) {
    for (const Arch native : {Arch::kX86_64, Arch::kAarch64}) {
      profile::Setting setting;
      setting.arch = native;
      const auto base = profile::baseline(id, setting);
      ASSERT_TRUE(base);
      for (const Flavour flavour : {Flavour::kRunc, Flavour::kCrun}) {
        const auto compiled = compile(*base, flavour);
        ASSERT_TRUE(compiled);
        expect_one_answer(compiled->program, family(native), {}, numbers);
        ASSERT_FALSE(HasFatalFailure()) << id;
        const auto small = compact(compiled->program);
        ASSERT_TRUE(small) << small.error().text();
        expect_one_answer(*small, family(native), {}, numbers);
        ASSERT_FALSE(HasFatalFailure()) << id << ", compact";
      }
    }
  }
  std::printf("%zu calls, %zu of them asked of the kernel\n", numbers.calls, numbers.kernel_calls);
}

// Rules for a dozen calls, on the ABIs of one machine or the other.
Profile random_profile(RandomRules& random) {
  static const std::array<std::string, 10> kNames = {"dup",   "mmap",  "ioctl", "socket", "clone",
                                                     "fcntl", "futex", "prctl", "openat", "kill"};
  Profile::Parts parts;
  parts.default_verdict = {profile::Action::kErrno,
                           static_cast<std::uint16_t>(1 + random.below(2))};
  parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
  if (random.below(4) == 0) parts.architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
  if (random.below(4) == 0) parts.architectures.pop_back();
  parts.rules = {{{"read", "write", "exit_group"}, {profile::Action::kAllow, 0}, {}},
                 {{"reboot"}, {profile::Action::kKillProcess, 0}, {}},
                 {{"ptrace"}, {profile::Action::kTrace, 7}, {}},
                 {{"mount"}, {profile::Action::kTrap, 0}, {}}};
  for (const std::string& name : kNames) {
    if (random.below(3) != 0) continue;
    for (profile::Rule& rule : random.rules(name)) parts.rules.push_back(std::move(rule));
  }
  return Profile(std::move(parts));
}

// check-all has 1,000 profiles: WHITTLE_KERNEL_PROFILES. The witnesses of differences from the
// document, and of changes from the profile before, are asked of the kernel as well. The compact
// program of each is loaded too, and asked the same.
TEST(Kernel, AgreesOnRandomProfiles) {
  const char* wanted = std::getenv("WHITTLE_KERNEL_PROFILES");
  const int profiles = wanted == nullptr ? 8 : std::atoi(wanted);
  RandomRules random(17);
  Counts numbers;
  int compiled_profiles = 0;
  std::size_t witnesses = 0;
  Program last;
  for (int i = 0; i < profiles; ++i) {
    const Profile profile = random_profile(random);
    const Flavour flavour = static_cast<Flavour>(random.below(3));
    const auto compiled = compile(profile, flavour);
    if (!compiled) continue;  // conflicting rules, or endless ones
    ++compiled_profiles;
    std::vector<Call> more;
    const auto found = differences(profile, compiled->program, flavour);
    ASSERT_TRUE(found) << found.error().text();
    for (const Difference& difference : *found) {
      more.push_back({difference.arch, difference.nr, difference.args});
    }
    const Arch native = native_arch(profile);
    if (!last.empty()) {
      const auto comparison = compare(last, compiled->program, family(native));
      ASSERT_TRUE(comparison) << comparison.error().text();
      EXPECT_TRUE(comparison->undecided.empty());
      for (const Change& change : comparison->changes) {
        more.push_back({change.arch, change.nr, change.args});
        if (change.arch != Arch::kX86) continue;
        for (std::uint64_t& arg : more.back().args) arg &= UINT32_MAX;
      }
    }
    witnesses += more.size();
    expect_one_answer(compiled->program, family(native), more, numbers);
    ASSERT_FALSE(HasFatalFailure()) << "profile " << i;
    const auto small = compact(compiled->program);
    ASSERT_TRUE(small) << small.error().text();
    expect_one_answer(*small, family(native), more, numbers);
    ASSERT_FALSE(HasFatalFailure()) << "profile " << i << ", compact";
    last = compiled->program;
  }
  EXPECT_GT(compiled_profiles, profiles / 2);
  std::printf("%d profiles: %zu calls, %zu of them asked of the kernel; %zu witnesses\n",
              compiled_profiles, numbers.calls, numbers.kernel_calls, witnesses);
}

int wanted(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

Call as_call(Arch arch, std::uint32_t nr, Arguments args) {
  if (arch == Arch::kX86) {
    for (std::uint64_t& arg : args) arg &= UINT32_MAX;
  }
  return {arch, nr, args};
}

// check-many has 20,000 rule sets: WHITTLE_RULE_SETS. Every difference between the document and the
// program that is found is one in the kernel too.
TEST(Kernel, ConfirmsTheDifferencesOfRandomRuleSets) {
  if (WHITTLE_KERNEL_ANSWERS == 0) return;
  RandomRules random(3);
  std::size_t witnesses = 0;
  int sets = 0;
  for (int i = wanted("WHITTLE_RULE_SETS", 100); i > 0; --i) {
    Profile::Parts parts;
    parts.default_verdict = {profile::Action::kErrno, 1};
    parts.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
    parts.rules = random.rules("dup2");
    const Profile profile(std::move(parts));
    const auto compiled = compile(profile, Flavour::kNative);
    if (!compiled) continue;
    const auto found = differences(profile, compiled->program, Flavour::kNative);
    ASSERT_TRUE(found) << found.error().text();
    if (found->empty()) continue;
    std::vector<Call> calls;
    for (const Difference& difference : *found) {
      calls.push_back(as_call(difference.arch, difference.nr, difference.args));
    }
    const auto answers = ask_kernel(compiled->program, calls);
    ASSERT_EQ(answers.size(), calls.size());
    for (std::size_t k = 0; k < answers.size(); ++k) {
      ASSERT_EQ(answers[k], (*found)[k].compiled);
      ASSERT_NE(answers[k], (*found)[k].documented);
    }
    ++sets;
    witnesses += answers.size();
  }
  EXPECT_GT(sets, 0);
  std::printf("%d rule sets are compiled otherwise than documented: %zu witnesses confirmed\n",
              sets, witnesses);
}

enum class Mutation { kNone, kOperator, kBit, kName, kOther };

// The profile with one thing changed; with the order of its calls turned round for kNone.
Profile mutated(const Profile& profile, Mutation mutation, RandomRules& random) {
  if (mutation == Mutation::kOther) return random_profile(random);
  Profile::Parts parts = profile.parts();
  if (mutation == Mutation::kNone) {
    std::stable_sort(parts.rules.begin(), parts.rules.end(),
                     [](const auto& a, const auto& b) { return a.names > b.names; });
    return Profile(std::move(parts));
  }
  std::vector<profile::Rule*> conditional;
  for (profile::Rule& rule : parts.rules) {
    if (!rule.args.empty()) conditional.push_back(&rule);
  }
  if (mutation == Mutation::kName || conditional.empty()) {
    parts.rules.front().names.front() = "pread64";  // was read
    return Profile(std::move(parts));
  }
  profile::Rule& rule = *conditional[random.below(static_cast<std::uint32_t>(conditional.size()))];
  profile::Condition& changed =
      rule.args[random.below(static_cast<std::uint32_t>(rule.args.size()))];
  if (mutation == Mutation::kOperator) {
    const auto step = 1 + random.below(5);  // never to or from MASKED_EQ, which has two values
    if (changed.op == profile::Operator::kMaskedEq) {
      changed.op = profile::Operator::kNe;
    } else {
      changed.op = static_cast<profile::Operator>((static_cast<unsigned>(changed.op) + step) % 6);
    }
  } else {
    changed.value ^= std::uint64_t{1} << random.below(64);
  }
  return Profile(std::move(parts));
}

bool tells(const Change& change, Arch arch, std::uint32_t nr, Direction direction) {
  if (change.arch != arch) return false;
  if (change.scope == Change::Scope::kArchitecture) return true;
  return change.direction == direction && change.numbers.first <= nr && nr <= change.numbers.last;
}

Direction direction_of(const Verdict& before, const Verdict& after) {
  if (before.allows() == after.allows()) return Direction::kOther;
  return after.allows() ? Direction::kLooser : Direction::kTighter;
}

// Every number and all values around what either filter asks: whether one is answered otherwise,
// and that compare() tells each that is.
bool differ_by_force(const Program& before, const Program& after, std::span<const Arch> arches,
                     const Comparison& comparison) {
  Decider decider_before(before);
  Decider decider_after(after);
  bool differ = false;
  for (const Arch arch : arches) {
    const std::uint32_t bit = arch == Arch::kX32 ? syscalls::kX32Bit : 0;
    for (std::uint32_t nr = bit; nr < (bit | 1024U); ++nr) {
      std::vector<Arguments> tried = arguments_for(decider_before.decide(arch, nr));
      const std::vector<Arguments> more = arguments_for(decider_after.decide(arch, nr));
      tried.insert(tried.end(), more.begin(), more.end());
      for (const Arguments& args : tried) {
        const auto data = call(arch, nr, args);
        const Verdict old_verdict = evaluate_checked(before, data);
        const Verdict new_verdict = evaluate_checked(after, data);
        if (old_verdict == new_verdict) continue;
        differ = true;
        const Direction direction = direction_of(old_verdict, new_verdict);
        const auto told = [&](const Change& change) { return tells(change, arch, nr, direction); };
        EXPECT_TRUE(std::any_of(comparison.changes.begin(), comparison.changes.end(), told))
            << syscalls::arch_name(arch) << " " << nr;
      }
    }
  }
  return differ;
}

// check-many has 1,000 pairs: WHITTLE_KERNEL_PROFILES. What is told equivalent is so by force, what
// differs by force is told, and every witness is one in the kernel, under both filters.
TEST(Kernel, ConfirmsTheChangesOfRandomPairs) {
  RandomRules random(29);
  std::map<Mutation, std::pair<int, int>> counts;  // pairs, and those that differ
  std::size_t witnesses = 0;
  for (int i = wanted("WHITTLE_KERNEL_PROFILES", 10); i > 0; --i) {
    const auto mutation = static_cast<Mutation>(i % 5);
    const auto flavour = static_cast<Flavour>(random.below(3));
    const Profile one = random_profile(random);
    const Profile other = mutated(one, mutation, random);
    const auto before = compile(one, flavour);
    const auto after = compile(other, flavour);
    if (!before || !after) continue;  // conflicting rules, or endless ones
    const auto arches = family(native_arch(one));
    const auto comparison = compare(before->program, after->program, arches);
    ASSERT_TRUE(comparison) << comparison.error().text();
    ASSERT_TRUE(comparison->undecided.empty());
    const bool differ = differ_by_force(before->program, after->program, arches, *comparison);
    ASSERT_FALSE(HasFailure()) << "pair " << i;
    ASSERT_EQ(comparison->equivalent(), !differ) << "pair " << i;
    ++counts[mutation].first;
    counts[mutation].second += differ ? 1 : 0;
    if (WHITTLE_KERNEL_ANSWERS == 0) continue;
    std::vector<const Change*> asked;
    std::vector<Call> calls;
    for (const Change& change : comparison->changes) {
      if (!is_native(change.arch) || passes_by_the_filter(change.arch, change.nr)) continue;
      asked.push_back(&change);
      calls.push_back(as_call(change.arch, change.nr, change.args));
    }
    if (calls.empty()) continue;
    const auto answers_before = ask_kernel(before->program, calls);
    const auto answers_after = ask_kernel(after->program, calls);
    ASSERT_EQ(answers_before.size(), calls.size());
    ASSERT_EQ(answers_after.size(), calls.size());
    for (std::size_t k = 0; k < calls.size(); ++k) {
      ASSERT_EQ(answers_before[k], asked[k]->verdict_before) << "pair " << i;
      ASSERT_EQ(answers_after[k], asked[k]->verdict_after) << "pair " << i;
    }
    witnesses += calls.size();
  }
  EXPECT_EQ(counts[Mutation::kName].first, counts[Mutation::kName].second);  // always found
  EXPECT_GT(counts[Mutation::kOperator].second, 0);
  EXPECT_GT(counts[Mutation::kBit].second, 0);
  for (const auto& [mutation, count] : counts) {
    std::printf("mutation %d: %d pairs, %d differ\n", static_cast<int>(mutation), count.first,
                count.second);
  }
  std::printf("%zu witnesses confirmed\n", witnesses);
}

}  // namespace
}  // namespace whittle::filter
