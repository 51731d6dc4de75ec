#include "record/ebpf_recorder.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <fstream>

#include "base/embedded.h"
#include "base/fd.h"
#include "base/text.h"
#include "host/kernel.h"
#include "record/ebpf_maps.h"
#include "record/process_tree.h"
#include "record/stacks.h"
#include "syscalls/arguments.h"
#include "syscalls/table.h"

WHITTLE_EMBEDDED(recorder_bpf)

namespace whittle::record {

namespace {

using syscalls::Arch;

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

// A test's wish for a size, 0 when there is none.
std::uint32_t wished_size(const char* variable, std::uint32_t given) {
  if (given != 0) return given;
  const char* text = std::getenv(variable);
  return static_cast<std::uint32_t>(text == nullptr ? 0 : parse_u64(text).value_or(0));
}

std::string hex_of(const std::uint8_t* bytes, std::size_t size) {
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) hex += format("{:02x}", bytes[i]);
  return hex;
}

}  // namespace

struct EbpfRecorder::State {
  State() = default;
  ~State() {
    if (maps.control != nullptr) ::munmap(maps.control, sizeof(recorder_control));
    ring_buffer__free(ring);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::unique_ptr<bpf_object, BpfObjectCloser> object;
  std::vector<std::unique_ptr<bpf_link, BpfLinkCloser>> links;
  std::unique_ptr<bpf_link, BpfLinkCloser> iterator;  // of mark_tasks
  ring_buffer* ring = nullptr;
  EbpfMaps maps;
  unsigned sources = 1;
  std::vector<std::string> phases;  // by index
  StacksByCell stacks;
  StackResolver resolver;
  std::vector<NewCgroup> new_cgroups;  // since the last drain()

  std::map<std::uint64_t, std::string> executables;  // by image (CapturedStack)

  // What the process ran when it was that image, now or when it was asked about before.
  std::string executable(pid_t process, std::uint64_t image);
  void take(const recorder_stack_event& event);
  void take(const recorder_cgroup_event& event);
};

namespace {

// DWARF numbers of the registers: call_frames.h.
CapturedStack captured_from(const recorder_stack_event& event) {
  CapturedStack captured;
  captured.pid = static_cast<pid_t>(event.tgid);
  captured.image = event.image;
  captured.code32 = event.code32 != 0;
  const recorder_registers& in = event.registers;
  captured.address = in.ip;
  if (captured.code32) {
    captured.registers[3] = in.bx;
    captured.registers[4] = in.sp;
    captured.registers[5] = in.bp;
    captured.registers[6] = in.si;
    captured.registers[7] = in.di;
  } else {
    captured.registers[3] = in.bx;
    captured.registers[6] = in.bp;
    captured.registers[7] = in.sp;
    captured.registers[12] = in.r12;
    captured.registers[13] = in.r13;
    captured.registers[14] = in.r14;
    captured.registers[15] = in.r15;
  }
  if (event.build_id.status == 1) {
    captured.build_id = hex_of(event.build_id.build_id, sizeof(event.build_id.build_id));
    captured.file_offset = event.build_id.offset;
  }
  captured.stack.assign(reinterpret_cast<const char*>(event.stack),
                        std::min<std::size_t>(event.bytes, sizeof(event.stack)));
  return captured;
}

}  // namespace

EbpfRecorder::EbpfRecorder(std::unique_ptr<State> state) : state_(std::move(state)) {}
EbpfRecorder::EbpfRecorder(EbpfRecorder&&) noexcept = default;
EbpfRecorder& EbpfRecorder::operator=(EbpfRecorder&&) noexcept = default;
EbpfRecorder::~EbpfRecorder() = default;

namespace {

recorder_spec spec_for_kernel(const syscalls::ArgumentSpec& spec) {
  recorder_spec out = {};
  std::fill(std::begin(out.index), std::end(out.index), std::uint8_t{RECORDER_NO_ARGUMENT});
  for (std::size_t i = 0; i < spec.indexes.size(); ++i) {
    out.index[i] = spec.in_struct ? std::uint8_t{RECORDER_IN_STRUCT} : spec.indexes[i];
    if (spec.widths[i] == 64) out.wide = static_cast<std::uint8_t>(out.wide | (1U << i));
  }
  return out;
}

void fill_argument_specs(recorder_control& control) {
  for (std::uint32_t slot = 0; slot < RECORDER_SLOTS; ++slot) {
    const Arch arch = arch_of_slot(slot);
    const auto name = syscalls::name(arch, nr_of_slot(slot));
    if (!name) continue;
    recorder_call& call = control.calls[slot];
    for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(arch, *name)) {
      if (call.specs == RECORDER_SPECS || spec.indexes.size() > RECORDER_TUPLE) std::abort();
      if (spec.in_struct) call.in_struct = 1;
      call.spec[call.specs++] = spec_for_kernel(spec);
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
  // EACCES is the verifier's own answer.
  const bool denied = error == EPERM;
  return environment_error(
      format("eBPF: {}: {}", what, std::strerror(error)), {},
      denied ? "recording by eBPF needs CAP_BPF and CAP_PERFMON: run as root, or use "
               "--backend ptrace"
             : last_message());
}

// Which programs this recording needs on this kernel.
void choose_programs(bpf_object* object, bool prepare_exec, bool targets) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string_view name = bpf_program__name(program);
    bool wanted = true;
    if (name == "on_prepare_exec") wanted = prepare_exec;
    if (name == "on_sys_enter") wanted = !prepare_exec;
    if (name == "on_attach" || name == "on_mkdir") wanted = targets;
    bpf_program__set_autoload(program, wanted);
  }
}

// One more than the greatest thread id (proc(5)); ids of later, greater limits are recorded, too.
std::uint32_t most_thread_ids() {
  std::ifstream file("/proc/sys/kernel/pid_max");
  std::string text;
  std::getline(file, text);
  constexpr std::uint64_t kLimit = 1U << 22U;  // PID_MAX_LIMIT, include/linux/threads.h
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(parse_u64(trim(text)).value_or(kLimit), RECORDER_MARKS, kLimit));
}

void size_maps(bpf_object* object, const EbpfRecorder::Options& options) {
  const std::uint32_t entries = wished_size("WHITTLE_RECORDER_ENTRIES", options.map_entries);
  const std::uint32_t ring = wished_size("WHITTLE_RECORDER_RING", options.ring_bytes);
  const auto resize = [&](const char* name, std::uint32_t size) {
    bpf_map__set_max_entries(bpf_object__find_map_by_name(object, name), size);
  };
  resize("totals", options.sources * RECORDER_SLOTS);
  if (entries != 0) {
    for (const char* name : {"errnos", "others", "values", "judged"}) resize(name, entries);
  }
  resize("marks", (most_thread_ids() + RECORDER_MARKS - 1) / RECORDER_MARKS);
  if (ring != 0) {
    resize("events", ring);
  } else if (!options.stacks) {
    resize("events", 1U << 18);
  }
}

Result<EbpfMaps> find_maps(bpf_object* object) {
  EbpfMaps maps;
  const auto fd = [&](const char* name) {
    return bpf_map__fd(bpf_object__find_map_by_name(object, name));
  };
  void* shared =
      ::mmap(nullptr, sizeof(recorder_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd(".bss"), 0);
  if (shared == MAP_FAILED) return libbpf_error("cannot map the shared memory", errno);
  maps.control = static_cast<recorder_control*>(shared);
  maps.tasks = fd("tasks");
  maps.totals = fd("totals");
  maps.errnos = fd("errnos");
  maps.others = fd("others");
  maps.values = fd("values");
  maps.judged = fd("judged");
  maps.recent = fd("recent");
  maps.cgroups = fd("cgroups");
  maps.events = fd("events");
  return maps;
}

}  // namespace

Result<EbpfRecorder> EbpfRecorder::open(const Options& options) {
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
  state->sources = std::clamp(options.sources, 1U, unsigned{RECORDER_SOURCES});
  state->object.reset(bpf_object__open_mem(embedded_recorder_bpf().data(),
                                           embedded_recorder_bpf().size(), nullptr));
  if (!state->object) return libbpf_error("cannot open the recorder", errno);
  bpf_object* object = state->object.get();
  const bool prepare_exec = use_prepare_exec();
  choose_programs(object, prepare_exec, options.targets);
  size_maps(object, options);
  if (const int error = bpf_object__load(object); error != 0) {
    return libbpf_error("the kernel refuses the recorder", -error);
  }
  TRY_ASSIGN(state->maps, find_maps(object));
  fill_argument_specs(*state->maps.control);
  state->maps.control->exec_at_enter = prepare_exec ? 0 : 1;
  state->maps.control->stacks = options.stacks ? 1 : 0;
  const auto on_event = [](void* context, void* data, std::size_t) {
    auto& own = *static_cast<State*>(context);
    if (*static_cast<const std::uint32_t*>(data) == RECORDER_STACK_EVENT) {
      own.take(*static_cast<const recorder_stack_event*>(data));
    } else {
      own.take(*static_cast<const recorder_cgroup_event*>(data));
    }
    return 0;
  };
  state->ring = ring_buffer__new(state->maps.events, on_event, state.get(), nullptr);
  if (state->ring == nullptr) return libbpf_error("cannot map the ring", errno);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (!bpf_program__autoload(program)) continue;
    bpf_link* link = bpf_program__attach(program);
    if (link == nullptr) return libbpf_error("cannot attach the recorder", errno);
    const bool iterator = bpf_program__expected_attach_type(program) == BPF_TRACE_ITER;
    if (iterator) {
      state->iterator.reset(link);
    } else {
      state->links.emplace_back(link);
    }
  }
  EbpfRecorder recorder(std::move(state));
  recorder.set_phase("startup");
  return recorder;
}

std::uint32_t first_uncounted_number() { return RECORDER_NUMBERS; }

namespace {

// Those that are not among the specs are kept as `others` says.
void judge_calls(recorder_call* calls, std::span<const JudgeSpec> specs, recorder_judge others) {
  std::vector<recorder_judge> how(RECORDER_SLOTS, others);
  for (const JudgeSpec& spec : specs) {
    const auto slot = slot_of(spec.arch, spec.nr);
    if (!slot) continue;
    how[*slot] = spec.never_allowed ? RECORDER_JUDGE_REFUSED : RECORDER_JUDGE;
    calls[*slot].judge_arguments = spec.arguments;
  }
  for (std::uint32_t slot = 0; slot < RECORDER_SLOTS; ++slot) {
    __atomic_store_n(&calls[slot].judge, static_cast<std::uint8_t>(how[slot]), __ATOMIC_RELEASE);
  }
}

}  // namespace

void EbpfRecorder::judge(std::span<const JudgeSpec> specs) {
  judge_calls(state_->maps.control->calls, specs, RECORDER_NO_JUDGE);
}

void EbpfRecorder::judge_unknown(std::span<const JudgeSpec> specs) {
  judge_calls(state_->maps.control->calls, specs, RECORDER_JUDGE_UNKNOWN);
}

void EbpfRecorder::stop_at_exec() { state_->maps.control->stop_at_exec = 1; }

pid_t EbpfRecorder::stopped() const {
  return static_cast<pid_t>(__atomic_load_n(&state_->maps.control->stopped, __ATOMIC_ACQUIRE));
}

Result<void> EbpfRecorder::add(int pidfd, Start start, Source source) {
  recorder_task task = {};
  task.taken = 1;
  task.flags = start == Start::kAtExec ? RECORDER_UNTIL_EXEC : RECORDER_UNTIL_FILTER;
  task.source = source;
  task.base_filters = own_filters();
  if (bpf_map_update_elem(state_->maps.tasks, &pidfd, &task, BPF_NOEXIST) != 0) {
    return errno_error(ErrorKind::kEnvironment, "eBPF: cannot follow the target", errno);
  }
  __atomic_fetch_add(&state_->maps.control->live[source], 1, __ATOMIC_RELAXED);
  state_->maps.control->mark = RECORDER_MARK_KNOWN;
  TRY(mark_tasks());
  return {};
}

// Runs the kernel side's mark_tasks over all tasks, until it finds none that it has not marked: a
// task that was forked meanwhile by one that was not marked yet may have been passed over.
Result<std::uint64_t> EbpfRecorder::mark_tasks() {
  recorder_control& control = *state_->maps.control;
  __atomic_store_n(&control.marked, 0, __ATOMIC_RELEASE);
  std::uint64_t before = 0;
  do {
    before = __atomic_load_n(&control.marked, __ATOMIC_ACQUIRE);
    const UniqueFd walk(bpf_iter_create(bpf_link__fd(state_->iterator.get())));
    if (walk.get() < 0) return libbpf_error("cannot go over the running tasks", errno);
    std::array<char, 64> nothing{};
    while (::read(walk.get(), nothing.data(), nothing.size()) > 0) {
    }
  } while (__atomic_load_n(&control.marked, __ATOMIC_ACQUIRE) != before);
  return before;
}

Result<std::uint64_t> EbpfRecorder::add_tree(pid_t pid, Source source) {
  recorder_control& control = *state_->maps.control;
  control.mark = RECORDER_MARK_TREE;
  control.mark_tgid = static_cast<std::uint32_t>(pid);
  control.mark_source = source;
  return mark_tasks();
}

namespace {

void follow_hierarchy(recorder_control& control, std::uint32_t hierarchy) {
  control.cgroup_hierarchy = hierarchy;
  __atomic_store_n(&control.by_cgroup, 1, __ATOMIC_RELEASE);
}

}  // namespace

Result<void> EbpfRecorder::follow_cgroup(Cgroup cgroup, Source main, Source exec, pid_t first) {
  const recorder_cgroup key = {cgroup.id, cgroup.hierarchy, 0};
  const recorder_followed value = {main, exec, static_cast<std::uint32_t>(first)};
  if (bpf_map_update_elem(state_->maps.cgroups, &key, &value, BPF_ANY) != 0) {
    return errno_error(ErrorKind::kEnvironment, "eBPF: cannot follow the cgroup", errno);
  }
  follow_hierarchy(*state_->maps.control, cgroup.hierarchy);
  return {};
}

Result<std::uint64_t> EbpfRecorder::add_cgroup_tasks(Cgroup cgroup, pid_t init, Source main,
                                                     Source exec) {
  recorder_control& control = *state_->maps.control;
  control.mark = RECORDER_MARK_CGROUP;
  control.mark_tgid = static_cast<std::uint32_t>(init);
  control.mark_source = main;
  control.mark_exec = exec;
  control.mark_cgroup = {cgroup.id, cgroup.hierarchy, 0};
  TRY_ASSIGN(const std::uint64_t marked, mark_tasks());
  // What enters from now on did not start it.
  if (marked != 0) control.started[main] = 1;
  return marked;
}

Result<void> EbpfRecorder::watch_new_cgroups(std::uint32_t hierarchy,
                                             std::span<const Source> mains) {
  recorder_control& control = *state_->maps.control;
  for (const Source main : mains) {
    if (main + 1 >= state_->sources) return bug("a source that Options::sources does not have");
    control.trial[main] = 1;
  }
  follow_hierarchy(control, hierarchy);
  __atomic_store_n(&control.watch, 1, __ATOMIC_RELEASE);
  return {};
}

void EbpfRecorder::stop_watching() {
  __atomic_store_n(&state_->maps.control->watch, 0, __ATOMIC_RELEASE);
}

// As the kernel side has it: a source, RECORDER_UNDECIDED or RECORDER_NO_PAIR.
std::uint32_t EbpfRecorder::value_of_main(Cgroup cgroup) const {
  const recorder_cgroup key = {cgroup.id, cgroup.hierarchy, 0};
  recorder_followed value = {RECORDER_UNDECIDED, RECORDER_UNDECIDED, 0};
  bpf_map_lookup_elem(state_->maps.cgroups, &key, &value);
  return value.main;
}

std::optional<EbpfRecorder::Source> EbpfRecorder::main_of(Cgroup cgroup) const {
  const std::uint32_t main = value_of_main(cgroup);
  if (main >= RECORDER_SOURCES) return std::nullopt;
  return main;
}

bool EbpfRecorder::had_no_pair(Cgroup cgroup) const {
  return value_of_main(cgroup) == RECORDER_NO_PAIR;
}

Result<void> EbpfRecorder::release(Cgroup cgroup) {
  const recorder_cgroup key = {cgroup.id, cgroup.hierarchy, 0};
  recorder_followed value = {};
  if (bpf_map_lookup_and_delete_elem(state_->maps.cgroups, &key, &value) != 0) return {};
  if (value.main >= RECORDER_SOURCES) return {};
  recorder_control& control = *state_->maps.control;
  for (const Source source : {value.main, value.main + 1}) {
    control.mark = RECORDER_MARK_CLEAR;
    control.mark_source = source;
    TRY(mark_tasks());
    TRY(clear_source(state_->maps, source));
    std::erase_if(state_->stacks,
                  [&](const auto& entry) { return entry.first / RECORDER_SLOTS == source; });
  }
  __atomic_store_n(&control.trial[value.main], 1, __ATOMIC_RELEASE);
  return {};
}

std::string EbpfRecorder::State::executable(pid_t process, std::uint64_t image) {
  constexpr std::size_t kMost = 1024;
  const auto known = executables.find(image);
  if (known != executables.end()) return known->second;
  std::string path = executable_of(process);
  if (path.empty() || image_of(process) != image) return {};
  if (executables.size() < kMost) executables[image] = path;
  return path;
}

void EbpfRecorder::State::take(const recorder_stack_event& event) {
  if (event.cell >= RECORDER_CELLS) return;
  const std::uint32_t slot = event.cell % RECORDER_SLOTS;
  std::vector<FirstStack>& into = stacks[event.cell];
  if (into.size() >= evidence::kMostStacks) return;
  FirstStack first;
  evidence::Stack& stack = first.stack;
  const std::string name = syscalls::display_name(arch_of_slot(slot), nr_of_slot(slot));
  const auto specs = syscalls::argument_specs(name);
  if (event.spec < specs.size()) {
    const syscalls::ArgumentSpec& spec = specs[event.spec];
    stack.indexes = {spec.indexes.begin(), spec.indexes.end()};
    stack.values = {event.values.value, event.values.value + spec.indexes.size()};
  }
  stack.comm = printable({event.comm, strnlen(event.comm, sizeof(event.comm))});
  stack.frames = resolver.resolve(captured_from(event));
  first.thread = static_cast<pid_t>(event.pid);
  first.executable = executable(static_cast<pid_t>(event.tgid), event.image);
  into.push_back(std::move(first));
}

void EbpfRecorder::State::take(const recorder_cgroup_event& event) {
  new_cgroups.push_back({{event.cgroup.hierarchy, event.cgroup.id},
                         std::string(event.path, strnlen(event.path, sizeof(event.path)))});
}

std::vector<EbpfRecorder::NewCgroup> EbpfRecorder::drain() {
  ring_buffer__consume(state_->ring);
  return std::exchange(state_->new_cgroups, {});
}

int EbpfRecorder::events_fd() const { return ring_buffer__epoll_fd(state_->ring); }

void EbpfRecorder::set_phase(std::string_view name) {
  auto& phases = state_->phases;
  auto found = std::find(phases.begin(), phases.end(), name);
  if (found == phases.end()) {
    if (phases.size() >= RECORDER_PHASE_RUNTIME) return;
    found = phases.insert(phases.end(), std::string(name));
  }
  __atomic_store_n(&state_->maps.control->phase, static_cast<std::uint32_t>(found - phases.begin()),
                   __ATOMIC_RELEASE);
}

bool EbpfRecorder::started(Source main) const {
  return __atomic_load_n(&state_->maps.control->started[main], __ATOMIC_ACQUIRE) != 0;
}

std::uint64_t EbpfRecorder::live(Source source) const {
  return __atomic_load_n(&state_->maps.control->live[source], __ATOMIC_ACQUIRE);
}

namespace {

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

Result<Snapshot> EbpfRecorder::snapshot(Source source) {
  const recorder_control& control = *state_->maps.control;
  const auto stacks = [this]() -> const StacksByCell& {
    ring_buffer__consume(state_->ring);
    return state_->stacks;
  };
  TRY_ASSIGN(Snapshot snapshot, read_source(state_->maps, source, state_->phases, stacks));
  snapshot.lost = {
      {"arguments", control.lost_arguments}, {"calls", control.lost_others},
      {"cgroups", control.lost_cgroups},     {"errnos", control.lost_errnos},
      {"judged", control.lost_judged},       {"missed", missed_runs(state_->object.get())},
      {"stacks", control.lost_stacks},       {"tasks", control.lost_tasks},
      {"values", control.lost_values},
  };
  return snapshot;
}

}  // namespace whittle::record
