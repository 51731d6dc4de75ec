#include "record/ebpf_recorder.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <set>

#include "base/embedded.h"
#include "base/errno_name.h"
#include "base/text.h"
#include "host/kernel.h"
#include "recorder.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

WHITTLE_EMBEDDED(recorder_bpf)

namespace whittle::record {

namespace {

using syscalls::Arch;

constexpr std::array<Arch, RECORDER_ABIS> kAbis = {Arch::kX86_64, Arch::kX86, Arch::kX32};

// The slot of a call, or nullopt for a number that the kernel side counts in `others`.
std::optional<std::uint32_t> slot_of(Arch arch, std::uint32_t nr) {
  const auto abi = std::find(kAbis.begin(), kAbis.end(), arch);
  if (abi == kAbis.end()) return std::nullopt;
  if (arch == Arch::kX32) nr &= ~syscalls::kX32Bit;
  if (nr >= RECORDER_NUMBERS) return std::nullopt;
  return static_cast<std::uint32_t>(abi - kAbis.begin()) * RECORDER_NUMBERS + nr;
}

std::uint32_t nr_of_slot(std::uint32_t slot) {
  const std::uint32_t nr = slot % RECORDER_NUMBERS;
  return kAbis.at(slot / RECORDER_NUMBERS) == Arch::kX32 ? nr | syscalls::kX32Bit : nr;
}

struct BpfObjectCloser {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
struct BpfLinkCloser {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};

// libbpf reports through one process-wide callback. What it says matters only when a call failed.
std::string& libbpf_messages() {
  static std::string messages;
  return messages;
}

__attribute__((format(printf, 2, 0))) int keep_message(libbpf_print_level level,
                                                       const char* pattern, va_list args) {
  if (level == LIBBPF_DEBUG || libbpf_messages().size() > 65536) return 0;
  std::array<char, 4096> line{};
  std::vsnprintf(line.data(), line.size(), pattern, args);
  libbpf_messages() += line.data();
  return 0;
}

// The line of libbpf's messages that says most: the last that is no mere consequence.
std::string last_message() {
  std::string found;
  for (const std::string& line : split(libbpf_messages(), '\n')) {
    if (line.starts_with("libbpf: ") && !line.starts_with("libbpf: failed to load object")) {
      found = line;
    }
  }
  return printable(found, 300);
}

// Whether the kernel has a tracepoint, by the type that its BTF gives it.
bool has_tracepoint(const char* name) {
  btf* kernel = btf__load_vmlinux_btf();
  const std::string type = format("btf_trace_{}", name);
  const bool found = btf__find_by_name_kind(kernel, type.c_str(), BTF_KIND_TYPEDEF) > 0;
  btf__free(kernel);
  return found;
}

// Nanoseconds of one jiffy: the resolution of the coarse clocks (kernel/time/posix-timers.c).
double jiffy_seconds() {
  timespec resolution = {};
  clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
  return static_cast<double>(resolution.tv_nsec) * 1e-9;
}

std::uint32_t own_filters() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("Seccomp_filters:")) {
      return static_cast<std::uint32_t>(parse_u64(trim(line.substr(16))).value_or(0));
    }
  }
  return 0;
}

template <typename Key, typename Value, typename Visit>
void for_each(int map, Visit visit) {
  Key key = {};
  const void* previous = nullptr;
  while (bpf_map_get_next_key(map, previous, &key) == 0) {
    Value value = {};
    if (bpf_map_lookup_elem(map, &key, &value) == 0) visit(key, value);
    previous = &key;
  }
}

}  // namespace

struct EbpfRecorder::State {
  State() = default;
  ~State() {
    if (control != nullptr) ::munmap(control, sizeof(recorder_control));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::unique_ptr<bpf_object, BpfObjectCloser> object;
  std::vector<std::unique_ptr<bpf_link, BpfLinkCloser>> links;
  recorder_control* control = nullptr;  // the object's .bss, shared with the kernel
  int tasks = -1;
  int totals = -1;
  int errnos = -1;
  int others = -1;
  int values = -1;
  int judged = -1;
  std::vector<std::string> phases;  // by index
};

EbpfRecorder::EbpfRecorder(std::unique_ptr<State> state) : state_(std::move(state)) {}
EbpfRecorder::EbpfRecorder(EbpfRecorder&&) noexcept = default;
EbpfRecorder& EbpfRecorder::operator=(EbpfRecorder&&) noexcept = default;
EbpfRecorder::~EbpfRecorder() = default;

namespace {

void fill_argument_specs(recorder_control& control) {
  for (const syscalls::ArgumentSpec& spec : syscalls::argument_table()) {
    if (spec.indexes.empty() || spec.indexes.size() > RECORDER_TUPLE) continue;
    for (const Arch arch : kAbis) {
      const auto nr = syscalls::number(arch, spec.syscall);
      const auto slot = nr ? slot_of(arch, *nr) : std::nullopt;
      if (!slot) continue;
      recorder_spec& out = control.specs[*slot];
      out.arguments = static_cast<std::uint8_t>(spec.indexes.size());
      out.in_struct = spec.in_struct ? 1 : 0;
      for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
        out.index[i] = spec.indexes[i];
        if (spec.widths[i] == 64) out.wide = static_cast<std::uint8_t>(out.wide | (1U << i));
      }
    }
  }
}

// WHITTLE_EXEC_HOOK=sys_enter takes the way of kernels before 6.10 on a newer one, for tests.
bool use_prepare_exec() {
  const char* forced = std::getenv("WHITTLE_EXEC_HOOK");
  if (forced != nullptr && std::string_view(forced) == "sys_enter") return false;
  return has_tracepoint("sched_prepare_exec");
}

tl::unexpected<Error> libbpf_error(const char* what, int error) {
  const bool denied = error == EPERM || error == EACCES;
  return environment_error(
      format("eBPF: {}: {}", what, std::strerror(error)), {},
      denied ? "recording by eBPF needs CAP_BPF and CAP_PERFMON: run as root, or use "
               "--backend ptrace"
             : last_message());
}

}  // namespace

Result<EbpfRecorder> EbpfRecorder::open() {
  if (syscalls::host_arch() != Arch::kX86_64) {
    return environment_error("eBPF: recording works on x86_64 only", {}, "use --backend ptrace");
  }
  const std::string missing = host::missing_for_ebpf(host::kernel_facts());
  if (!missing.empty()) {
    return environment_error("eBPF: " + missing, {}, "use --backend ptrace");
  }
  libbpf_messages().clear();
  libbpf_set_print(keep_message);
  auto state = std::make_unique<State>();
  state->object.reset(bpf_object__open_mem(embedded_recorder_bpf().data(),
                                           embedded_recorder_bpf().size(), nullptr));
  if (!state->object) return libbpf_error("cannot open the recorder", errno);
  const bool prepare_exec = use_prepare_exec();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, state->object.get()) {
    const std::string_view name = bpf_program__name(program);
    if (name == "on_prepare_exec") bpf_program__set_autoload(program, prepare_exec);
    if (name == "on_sys_enter" || name == "on_process_exec") {
      bpf_program__set_autoload(program, !prepare_exec);
    }
  }
  if (const int error = bpf_object__load(state->object.get()); error != 0) {
    return libbpf_error("the kernel refuses the recorder", -error);
  }
  const auto map = [&](const char* name) {
    return bpf_object__find_map_by_name(state->object.get(), name);
  };
  void* shared = ::mmap(nullptr, sizeof(recorder_control), PROT_READ | PROT_WRITE, MAP_SHARED,
                        bpf_map__fd(map(".bss")), 0);
  if (shared == MAP_FAILED) return libbpf_error("cannot map the shared memory", errno);
  state->control = static_cast<recorder_control*>(shared);
  state->tasks = bpf_map__fd(map("tasks"));
  state->totals = bpf_map__fd(map("totals"));
  state->errnos = bpf_map__fd(map("errnos"));
  state->others = bpf_map__fd(map("others"));
  state->values = bpf_map__fd(map("values"));
  state->judged = bpf_map__fd(map("judged"));
  fill_argument_specs(*state->control);
  state->control->base_filters = own_filters();
  bpf_object__for_each_program(program, state->object.get()) {
    if (!bpf_program__autoload(program)) continue;
    bpf_link* link = bpf_program__attach(program);
    if (link == nullptr) return libbpf_error("cannot attach the recorder", errno);
    state->links.emplace_back(link);
  }
  EbpfRecorder recorder(std::move(state));
  recorder.set_phase("startup");
  return recorder;
}

void EbpfRecorder::judge(std::span<const JudgeSpec> specs) {
  for (const JudgeSpec& spec : specs) {
    const auto slot = slot_of(spec.arch, spec.nr);
    if (!slot) continue;
    state_->control->specs[*slot].judge =
        spec.never_allowed ? RECORDER_JUDGE_REFUSED : RECORDER_JUDGE;
    state_->control->specs[*slot].judge_arguments = spec.arguments;
  }
}

void EbpfRecorder::stop_at_exec() { state_->control->stop_at_exec = 1; }

pid_t EbpfRecorder::stopped() const {
  return static_cast<pid_t>(__atomic_load_n(&state_->control->stopped, __ATOMIC_ACQUIRE));
}

Result<void> EbpfRecorder::add(int pidfd, Start start) {
  recorder_task task = {};
  task.flags = start == Start::kAtExec ? RECORDER_UNTIL_EXEC : RECORDER_UNTIL_FILTER;
  if (bpf_map_update_elem(state_->tasks, &pidfd, &task, BPF_NOEXIST) != 0) {
    return errno_error(ErrorKind::kEnvironment, "eBPF: cannot follow the target", errno);
  }
  __atomic_fetch_add(&state_->control->live, 1, __ATOMIC_RELAXED);
  return {};
}

void EbpfRecorder::set_phase(std::string_view name) {
  auto& phases = state_->phases;
  auto found = std::find(phases.begin(), phases.end(), name);
  if (found == phases.end()) {
    if (phases.size() >= RECORDER_PHASE_RUNTIME) return;
    found = phases.insert(phases.end(), std::string(name));
  }
  __atomic_store_n(&state_->control->phase, static_cast<std::uint32_t>(found - phases.begin()),
                   __ATOMIC_RELEASE);
}

std::uint64_t EbpfRecorder::live() const {
  return __atomic_load_n(&state_->control->live, __ATOMIC_ACQUIRE);
}

namespace {

// Adds up what the maps hold into observations.
class SnapshotBuilder {
 public:
  explicit SnapshotBuilder(const std::vector<std::string>& phases) : phases_(phases) {}

  Result<void> add_totals(int map) {
    const int cpus = libbpf_num_possible_cpus();
    std::vector<recorder_total> per_cpu(static_cast<std::size_t>(std::max(cpus, 1)));
    for (std::uint32_t slot = 0; slot < RECORDER_SLOTS; ++slot) {
      if (bpf_map_lookup_elem(map, &slot, per_cpu.data()) != 0) {
        return errno_error(ErrorKind::kEnvironment, "eBPF: cannot read the counts", errno);
      }
      for (const recorder_total& total : per_cpu) {
        if (total.count != 0) add_total(slot, total);
      }
    }
    return {};
  }

  void add_errnos(int map) {
    for_each<recorder_errno, std::uint64_t>(map, [&](const auto& key, std::uint64_t count) {
      Entry& entry = at(kAbis.at(key.slot / RECORDER_NUMBERS), nr_of_slot(key.slot));
      entry.observation.errnos[errno_name(static_cast<int>(key.number))] += count;
    });
  }

  void add_others(int map) {
    for_each<recorder_other, recorder_seen>(map, [&](const auto& key, const auto& seen) {
      Entry& entry = at(kAbis.at(key.abi), key.nr);
      entry.observation.count += seen.count;
      if (key.error != 0) {
        entry.observation.errnos[errno_name(static_cast<int>(key.error))] += seen.count;
      }
      entry.see(seen.first, seen.last);
    });
  }

  void add_values(int map, const recorder_control& control) {
    for_each<recorder_value, std::uint64_t>(map, [&](const auto& key, std::uint64_t) {
      const recorder_spec& spec = control.specs[key.slot];
      const bool closed = control.distinct[key.slot] <= RECORDER_VALUES;
      const Arch arch = kAbis.at(key.slot / RECORDER_NUMBERS);
      add_value(at(arch, nr_of_slot(key.slot)).observation, spec, key.values, closed);
    });
  }

  std::vector<evidence::Observation> take() {
    std::uint64_t start = UINT64_MAX;
    for (const auto& [key, entry] : entries_) start = std::min(start, entry.first);
    const double jiffy = jiffy_seconds();
    std::vector<evidence::Observation> result;
    for (auto& [key, entry] : entries_) {
      evidence::Observation& observation = entry.observation;
      observation.first = static_cast<double>(entry.first - start) * jiffy;
      observation.last = static_cast<double>(entry.last - start) * jiffy;
      if ((entry.phases & (1U << RECORDER_PHASE_RUNTIME)) != 0) {
        observation.phases.emplace_back(kRuntimePhase);
      }
      for (std::size_t i = 0; i < phases_.size(); ++i) {
        if ((entry.phases & (1U << i)) != 0) observation.phases.push_back(phases_[i]);
      }
      result.push_back(std::move(observation));
    }
    return result;
  }

 private:
  struct Entry {
    evidence::Observation observation;
    std::uint64_t first = UINT64_MAX;
    std::uint64_t last = 0;
    std::uint32_t phases = 0;

    void see(std::uint64_t from, std::uint64_t to) {
      first = std::min(first, from);
      last = std::max(last, to);
    }
  };

  Entry& at(Arch arch, std::uint32_t nr) {
    Entry& entry = entries_[{arch, nr}];
    entry.observation.arch = arch;
    entry.observation.nr = nr;
    if (entry.observation.name.empty()) {
      entry.observation.name = syscalls::display_name(arch, nr);
    }
    return entry;
  }

  void add_total(std::uint32_t slot, const recorder_total& total) {
    Entry& entry = at(kAbis.at(slot / RECORDER_NUMBERS), nr_of_slot(slot));
    entry.observation.count += total.count;
    entry.see(total.first, total.last);
    entry.phases |= total.phases;
    for (const auto& slot_errno : total.errnos) {
      if (slot_errno.count == 0) continue;
      const std::string name = errno_name(static_cast<int>(slot_errno.number));
      entry.observation.errnos[name] += slot_errno.count;
    }
  }

  static void add_value(evidence::Observation& observation, const recorder_spec& spec,
                        const __u64 (&values)[RECORDER_TUPLE], bool closed) {
    if (spec.arguments == 1) {
      if (observation.args.empty()) {
        const auto specs = syscalls::argument_specs(observation.name);
        observation.args.push_back({spec.index[0],
                                    specs.empty() ? syscalls::ArgumentKind::kEnum : specs[0].kind,
                                    closed,
                                    {}});
      }
      observation.args[0].values.insert(values[0]);
      return;
    }
    if (observation.tuples.empty()) {
      observation.tuples.push_back({{spec.index, spec.index + spec.arguments}, closed, {}});
    }
    observation.tuples[0].values.insert({values, values + spec.arguments});
  }

  const std::vector<std::string>& phases_;
  std::map<std::pair<Arch, std::uint32_t>, Entry> entries_;
};

std::vector<JudgedCall> read_judged(int map, const std::vector<std::string>& phases) {
  std::vector<JudgedCall> calls;
  for_each<recorder_judged, recorder_seen>(map, [&](const auto& key, const auto& seen) {
    JudgedCall call;
    call.arch = kAbis.at(key.abi);
    call.nr = key.nr;
    std::copy(std::begin(key.arguments), std::end(key.arguments), call.args.begin());
    call.result_is_number = key.result == RECORDER_RESULT_NUMBER;
    call.error = call.result_is_number ? 0 : static_cast<int>(key.result);
    call.comm = printable({key.comm, strnlen(key.comm, sizeof(key.comm))});
    call.phase = key.phase < phases.size() ? phases[key.phase] : std::string(kRuntimePhase);
    call.count = seen.count;
    calls.push_back(std::move(call));
  });
  return calls;
}

// Runs of the programs that the kernel skipped because one was under way on that CPU already.
std::uint64_t missed_runs(bpf_object* object) {
  std::uint64_t missed = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const int fd = bpf_program__fd(program);
    bpf_prog_info info = {};
    __u32 size = sizeof(info);
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0) missed += info.recursion_misses;
  }
  return missed;
}

}  // namespace

Result<Snapshot> EbpfRecorder::snapshot() const {
  const State& state = *state_;
  const recorder_control& control = *state.control;
  SnapshotBuilder builder(state.phases);
  TRY(builder.add_totals(state.totals));
  builder.add_errnos(state.errnos);
  builder.add_others(state.others);
  builder.add_values(state.values, control);
  Snapshot snapshot;
  snapshot.syscalls = builder.take();
  snapshot.judged = read_judged(state.judged, state.phases);
  snapshot.lost = {
      {"arguments", control.lost_arguments},
      {"calls", control.lost_others},
      {"errnos", control.lost_errnos},
      {"judged", control.lost_judged},
      {"missed", missed_runs(state.object.get())},
      {"tasks", control.lost_tasks},
      {"values", control.lost_values},
  };
  return snapshot;
}

}  // namespace whittle::record
