#include "record/targets.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/text.h"
#include "filter/read_back.h"
#include "host/cgroups.h"
#include "host/containers.h"
#include "record/container_watch.h"
#include "record/ebpf_recorder.h"
#include "record/process_tree.h"
#include "record/ptrace_recorder.h"
#include "record/ptrace_run.h"
#include "record/refusals.h"
#include "record/session.h"
#include "record/signals.h"

namespace whittle::record {

namespace {

using Source = EbpfRecorder::Source;

constexpr int kPollMilliseconds = 50;
constexpr double kCheckpointSeconds = 1;
constexpr double kViewSeconds = 0.1;
constexpr double kRest = 20;  // so many times as long as a view takes, none is made
constexpr const char* kLateNote =
    "it ran already when the recording began: what it did before is not known";

using Filters = std::vector<filter::Program>;

EbpfRecorder::Cgroup for_kernel(const host::CgroupRef& ref) { return {ref.hierarchy, ref.id}; }

std::vector<std::string> command_line(pid_t pid) {
  const auto text = read_file(format("/proc/{}/cmdline", pid), 1U << 20U);
  if (!text || text->empty()) return {};
  std::vector<std::string> words = split(*text, '\0');
  if (words.back().empty()) words.pop_back();
  return words;
}

// Something that is recorded from a start to an end.
struct Life {
  std::optional<host::Container> container;
  host::CgroupRef cgroup;
  Source main = 0;
  bool has_exec = false;  // main + 1 is what entered later
  bool late = false;      // it ran when the recording began
  bool started = false;   // its start was seen
  bool identified = false;
  evidence::Run run;  // identity, and in the end the observations, of the first
  evidence::Run exec_run;
  // In force in its first process; empty: none, nullopt: not known.
  std::optional<std::vector<filter::Program>> filters;
  std::string unreadable;  // why they are not known
  pid_t first = 0;         // that process; 0: not known
  std::uint64_t number = 0;
};

// The refused calls of a filter are no need of the workload. Of several filters each answers for
// the calls that the ones before it did not.
void mark_refused_by(const std::vector<filter::Program>& filters, std::vector<JudgedCall> judged,
                     evidence::Run& run) {
  for (const filter::Program& program : filters) {
    const auto rest = std::partition(judged.begin(), judged.end(), [&](const JudgedCall& call) {
      return was_refused(program, call);
    });
    mark_refused(run, {judged.begin(), rest}, program);
    judged.erase(judged.begin(), rest);
  }
}

class TargetRecording {
 public:
  TargetRecording(const Target& target, const RecordSpec& spec) : target_(target), spec_(spec) {}

  Result<std::vector<evidence::Run>> record() {
    switch (target_.kind) {
      case Target::Kind::kProcess:
        TRY(record_process());
        break;
      case Target::Kind::kCgroup:
        TRY(record_cgroup());
        break;
      case Target::Kind::kContainer:
        TRY(record_container());
        break;
    }
    return std::move(runs_);
  }

 private:
  // ---- one target, known from the start

  Result<void> open(unsigned sources) {
    EbpfRecorder::Options options;
    options.sources = sources;
    options.targets = true;
    options.stacks = spec_.stacks;
    TRY_ASSIGN(EbpfRecorder recorder, EbpfRecorder::open(options));
    recorder_.emplace(std::move(recorder));
    return {};
  }

  Result<void> record_process() {
    if (target_.pid == ::getpid()) return input_error("that is whittle itself");
    if (choose_backend(spec_.backend).backend == Backend::kPtrace) {
      return record_process_by_ptrace();
    }
    Life life;
    life.late = true;
    read_filters(life, target_.pid);
    TRY(open(1));
    judge_for(life);
    begin(life, command_line(target_.pid));
    TRY_ASSIGN(const std::uint64_t tasks, recorder_->add_tree(target_.pid, 0));
    if (tasks == 0) {
      return input_error(format("no such process: {}", target_.pid), {},
                         "it has ended, or it is a thread of the kernel");
    }
    attached(format("{} process {}: {}", target_.doing, target_.pid, plural(tasks, "task")));
    TRY(follow(life));
    return finish(life);
  }

  Result<void> record_process_by_ptrace() {
    Life life;
    read_filters(life, target_.pid);
    begin(life, command_line(target_.pid));
    if (!life.filters) {
      life.run.notes.emplace_back(
          "its filter could not be read: calls that it refused count as needed");
    }
    life.run.notes.emplace_back(kLateNote);
    PtraceRun recording(spec_, *session_, life.run, life.filters.value_or(Filters()));
    recording.options().attached = [this](std::size_t tasks) {
      attached(format("recording process {} by ptrace: {}", target_.pid, plural(tasks, "task")));
    };
    if (target_.checkpoint) {
      recording.options().checkpoint = [this, &life](const evidence::Run& so_far) {
        evidence::Run run = so_far;
        run.id = life.run.id;
        session_->checkpoint(run);
        target_.checkpoint(std::vector<evidence::Run>{run}, session_->phase());
      };
    }
    TRY_ASSIGN(life.run, recording.finish(record_ptrace_tree(target_.pid, recording.options())));
    session_->finish();
    for (std::string& note : session_->notes()) life.run.notes.push_back(std::move(note));
    runs_.push_back(std::move(life.run));
    return {};
  }

  Result<void> record_cgroup() {
    TRY_ASSIGN(cgroups_, host::Cgroups::of_host());
    Life life;
    TRY_ASSIGN(life.cgroup, cgroups_->find(target_.name));
    const std::vector<pid_t> inside = cgroups_->processes(life.cgroup);
    if (std::find(inside.begin(), inside.end(), ::getpid()) != inside.end()) {
      return input_error("whittle itself is in this cgroup", printable(target_.name));
    }
    if (!inside.empty()) read_filters(life, inside.front());
    TRY(open(1));
    judge_for(life);
    begin(life, {});
    TRY(recorder_->follow_cgroup(for_kernel(life.cgroup), 0, 0));
    TRY_ASSIGN(const std::uint64_t tasks,
               recorder_->add_cgroup_tasks(for_kernel(life.cgroup), 0, 0, 0));
    life.late = tasks != 0;
    attached(tasks != 0
                 ? format("{} the cgroup {}: {}", target_.doing, printable(life.cgroup.path),
                          plural(tasks, "task"))
                 : format("waiting for a task in the cgroup {}", printable(life.cgroup.path)));
    TRY(follow(life));
    return finish(life);
  }

  Result<void> record_running(const host::Container& container) {
    if (container.cgroups.empty()) {
      return environment_error("the container shares its cgroups with others in every hierarchy",
                               printable(container.id),
                               format("record its first process: --pid {}", container.pid));
    }
    Life life;
    life.container = container;
    life.cgroup = container.cgroups.front();
    life.has_exec = true;
    life.late = true;
    read_filters(life, container.pid);
    TRY(open(2));
    judge_for(life);
    begin(life, {});
    const EbpfRecorder::Cgroup cgroup = for_kernel(life.cgroup);
    TRY(recorder_->follow_cgroup(cgroup, 0, 1, container.pid));
    TRY_ASSIGN(const std::uint64_t tasks, recorder_->add_cgroup_tasks(cgroup, container.pid, 0, 1));
    attached(format("{} the container {}: {}", target_.doing, printable(target_.name),
                    plural(tasks, "task")));
    TRY(follow(life));
    return finish(life);
  }

  void attached(const std::string& text) const {
    if (target_.attached) target_.attached(text);
  }

  // Until its tasks are gone, or the recording is to end.
  Result<void> follow(Life& life) {
    bool seen = life.late || life.started;
    while (true) {
      TRY(turn(life, kPollMilliseconds));
      seen = seen || recorder_->started(life.main);  // before: it may start in between
      const bool gone = life.cgroup.id != 0 && !cgroups_->exists(life.cgroup);
      const bool lives = is_alive(life);
      seen = seen || lives;
      if (gone && seen) return {};
      if ((seen && !lives) || enough_ || session_->stop_requested()) return {};
    }
  }

  bool is_alive(const Life& life) const {
    return recorder_->live(life.main) + (life.has_exec ? recorder_->live(life.main + 1) : 0) != 0;
  }

  // Waits for a moment, and does what is to be done all the time while something is recorded.
  Result<void> turn(Life& life, int milliseconds) {
    recorder_->set_phase(session_->phase());
    session_->wait({recorder_->events_fd()}, milliseconds);
    if (watch_) {
      TRY(watch_->look());  // its next start may come before this end is noticed
    } else {
      recorder_->drain();
    }
    identify(life);
    TRY(show(life, false));
    if (monotonic_seconds() < next_checkpoint_) return {};
    next_checkpoint_ = monotonic_seconds() + kCheckpointSeconds;
    Life so_far = life;
    TRY(take(so_far));
    session_->checkpoint(so_far.run);
    if (!target_.checkpoint) return {};
    std::vector<evidence::Run> runs = runs_;
    add_runs(so_far, runs);
    target_.checkpoint(runs, session_->phase());
    return {};
  }

  // For who watches.
  Result<void> show(const Life& life, bool ended) {
    const double began = monotonic_seconds();
    const bool known = life.identified || !watch_;
    if (!target_.watch || (!ended && (!known || began < next_view_))) return {};
    const std::uint64_t others = ended ? 0 : otherwise_filtered(life);
    for (const Source part : {Source{0}, Source{1}}) {
      if (part == 1 && !life.has_exec) break;
      TRY_ASSIGN(const Snapshot snapshot, recorder_->snapshot(life.main + part));
      const std::string& runtime = life.run.runtime;
      const TargetView view = {life.number,  part == 1,       ended,  life.started, runtime,
                               life.filters, life.unreadable, others, kept_,        snapshot};
      if (!target_.watch(view)) enough_ = true;
    }
    const double now = monotonic_seconds();
    next_view_ = now + std::max(kViewSeconds, kRest * (now - began));
    return {};
  }

  std::uint64_t otherwise_filtered(const Life& life) const {
    if (!life.filters || life.first == 0) return 0;
    const std::string own = status_field(life.first, "Seccomp_filters");
    if (own.empty()) return 0;
    const std::vector<pid_t> all =
        life.cgroup.id == 0 ? tree_of(life.first) : cgroups_->processes(life.cgroup);
    return static_cast<std::uint64_t>(std::count_if(all.begin(), all.end(), [&](pid_t pid) {
      const std::string filters = status_field(pid, "Seccomp_filters");
      return !filters.empty() && filters != own;
    }));
  }

  // A container that has run, and of which nothing was counted.
  Result<void> add_uncounted(Life& life) {
    begin(life, {});
    life.run.lost["cgroups"] = 1;
    life.run.notes.emplace_back(
        "nothing of it was recorded: too many containers started at the same time");
    runs_.push_back(life.run);
    return recorder_->release(for_kernel(life.cgroup));
  }

  // Takes the runtime's word for what it is, as soon as that is there, and its filter.
  void identify(Life& life) {
    if (life.identified || !watch_) return;
    if (life.container->pid == 0) {
      auto owner = watch_->owner_of(life.cgroup);
      if (!owner) return;
      life.container = std::move(owner);
    }
    life.identified = true;
    read_filters(life, life.container->pid);
    if (!life.filters && !life.container->filtered) life.filters.emplace();
    if (target_.watch) judge_for(life);  // from now on also what it answers otherwise than most do
    describe(life);
  }

  // ---- what a run says

  void begin(Life& life, const std::vector<std::string>& command) {
    session_.emplace(spec_);
    session_->start();
    life.number = ++lives_;
    next_view_ = 0;
    next_checkpoint_ = monotonic_seconds() + kCheckpointSeconds;
    life.run = new_run(command, "none");
    life.run.source = "ebpf";
    life.exec_run = new_run({}, "none");
    life.exec_run.source = "ebpf";
    life.exec_run.part = "exec";
    describe(life);
  }

  static void describe(Life& life) {
    life.run.under = "none";
    if (life.filters && !life.filters->empty()) life.run.under = "its own";
    if (!life.filters) life.run.under = "unknown";
    if (!life.container) return;
    life.run.container = life.container->id;
    life.run.image = life.container->image;
    life.run.runtime = life.container->runtime;
    life.run.command = life.container->command;
    life.exec_run.container = life.run.container;
    life.exec_run.image = life.run.image;
    life.exec_run.runtime = life.run.runtime;
    life.exec_run.under = life.run.under;
  }

  void read_filters(Life& life, pid_t pid) {
    // A process without one is not even stopped for it.
    life.first = pid;
    const auto status = read_file(format("/proc/{}/status", pid), 1U << 16U);
    if (status && status->find("\nSeccomp:\t0\n") != std::string::npos) {
      life.filters.emplace();
      return;
    }
    auto filters = filter::read_back(pid);
    if (filters) {
      life.filters = *std::move(filters);
    } else {
      life.unreadable = filters.error().message;
    }
  }

  // What the kernel has to keep so that refusals can be told.
  void judge_for(const Life& life) {
    if (!life.filters) return judge_unknown();
    std::vector<JudgeSpec> specs;
    for (const filter::Program& program : *life.filters) {
      const auto more = judge_specs(program);
      specs.insert(specs.end(), more.begin(), more.end());
    }
    kept_ = unite(specs);  // one call in two of them: all arguments that either looks at
    if (target_.to_judge) kept_ = target_.to_judge(std::move(kept_));
    recorder_->judge(kept_);
  }

  void judge_unknown() {
    kept_ = target_.to_judge ? target_.to_judge({}) : std::vector<JudgeSpec>();
    recorder_->judge_unknown(kept_);
  }

  Result<void> take_source(const Life& life, Source source, evidence::Run& run) {
    TRY_ASSIGN(Snapshot snapshot, recorder_->snapshot(source));
    run.syscalls = std::move(snapshot.syscalls);
    run.lost = std::move(snapshot.lost);
    run.duration = session_->seconds();
    if (life.filters) {
      mark_refused_by(*life.filters, std::move(snapshot.judged), run);
    } else {
      // What a filter refused is among these, and counts as needed.
      run.lost["refusals"] = snapshot.judged.size();
    }
    if (life.late) run.lost["late_start"] = 1;
    run.complete = std::all_of(run.lost.begin(), run.lost.end(),
                               [](const auto& entry) { return entry.second == 0; });
    return {};
  }

  Result<void> take(Life& life) {
    TRY(take_source(life, life.main, life.run));
    if (life.has_exec) TRY(take_source(life, life.main + 1, life.exec_run));
    return {};
  }

  static void add_runs(const Life& life, std::vector<evidence::Run>& runs) {
    runs.push_back(life.run);
    if (life.has_exec && !life.exec_run.syscalls.empty()) runs.push_back(life.exec_run);
  }

  Result<void> finish(Life& life) {
    session_->finish();
    recorder_->set_phase(session_->phase());
    if (!life.filters && life.unreadable.empty()) {
      life.unreadable = "it ended before that could be done";
    }
    TRY(show(life, true));
    TRY(take(life));
    for (evidence::Run* run : {&life.run, &life.exec_run}) {
      if (life.late) {
        run->notes.emplace_back(kLateNote);
      }
      const auto lost = run->lost.find("refusals");
      if (lost != run->lost.end() && lost->second != 0) {
        run->notes.emplace_back(
            "its filter could not be read: calls that it refused count as needed");
      }
    }
    for (std::string& note : session_->notes()) life.run.notes.push_back(std::move(note));
    if (is_alive(life)) {
      life.run.notes.push_back(format("{} still running when the recording ended",
                                      plural(recorder_->live(life.main), "task")));
    }
    add_runs(life, runs_);
    return {};
  }

  // ---- containers

  Result<void> record_container() {
    TRY_ASSIGN(cgroups_, host::Cgroups::of_host());
    const auto all = host::containers(*cgroups_);
    const bool called = std::any_of(all.begin(), all.end(), [this](const host::Container& c) {
      return host::is_called(c, target_.name);
    });
    if (target_.wait && !called) return wait_for_it();
    auto found = host::find_container(all, target_.name);
    if (found) return record_running(*found);
    if (!called) found.error().hint += "; to record it from its start add --wait, then start it";
    return tl::unexpected(std::move(found).error());
  }

  Result<void> wait_for_it() {
    TRY(open(ContainerWatch::sources()));
    judge_unknown();
    TRY_ASSIGN(watch_, ContainerWatch::start(*recorder_, *cgroups_, target_.name));
    if (const auto running = watch_->running_before()) {  // it has started since we looked
      watch_.reset();
      return record_running(*running);
    }
    attached("waiting for the container " + printable(target_.name));
    const double began = monotonic_seconds();
    std::uint64_t lives = 0;
    while (lives < target_.lives && !enough_ && SignalCatcher::caught() == 0) {
      TRY_ASSIGN(auto started, next_started(began));
      if (!started) break;
      if (++lives == target_.lives) TRY(watch_->stop());
      TRY(record_started(*std::move(started)));
    }
    if (lives != 0) return {};
    return input_error(format("no container {} has started", printable(target_.name)), {},
                       "is it the name that it is started with?");
  }

  // nullopt: a signal, or the time is over.
  Result<std::optional<ContainerWatch::Started>> next_started(double began) {
    Session idle(spec_);  // never started: it only waits
    while (true) {
      TRY(watch_->look());
      auto started = watch_->next_started();
      const bool late = spec_.time_limit && monotonic_seconds() - began >= *spec_.time_limit;
      if (started || late || SignalCatcher::caught() > 0) return started;
      idle.wait({recorder_->events_fd()}, watch_->patience());
    }
  }

  Result<void> record_started(ContainerWatch::Started started) {
    Life life;
    life.container = std::move(started.container);
    life.cgroup = std::move(started.cgroup);
    if (!started.main) return add_uncounted(life);
    life.main = *started.main;
    life.has_exec = true;
    life.started = true;
    begin(life, {});
    identify(life);
    TRY(follow(life));
    TRY(finish(life));
    if (target_.watch) judge_unknown();  // the next one may have another filter
    return recorder_->release(for_kernel(life.cgroup));
  }

  const Target& target_;
  const RecordSpec& spec_;
  std::optional<host::Cgroups> cgroups_;
  std::optional<EbpfRecorder> recorder_;
  std::optional<ContainerWatch> watch_;
  std::optional<Session> session_;
  double next_checkpoint_ = 0;
  double next_view_ = 0;
  bool enough_ = false;          // for who watches
  std::uint64_t lives_ = 0;      // begun
  std::vector<JudgeSpec> kept_;  // for judgement
  std::vector<evidence::Run> runs_;
};

}  // namespace

std::string target_name(const Target& target) {
  if (target.kind == Target::Kind::kProcess) {
    const auto command = command_line(target.pid);
    std::string program = command.empty() ? "" : command[0].substr(command[0].rfind('/') + 1);
    // Servers write what they are doing over their command line: "nginx: master process ...".
    program = program.substr(0, program.find_first_of(" :"));
    return program.empty() ? format("pid-{}", target.pid) : program;
  }
  const auto end = target.name.find_last_not_of('/');
  const std::string path = target.name.substr(0, end == std::string::npos ? 0 : end + 1);
  return path.substr(path.rfind('/') + 1);
}

Result<std::vector<evidence::Run>> record_target(const Target& target, const RecordSpec& spec) {
  if (spec.backend == Backend::kPtrace && target.kind != Target::Kind::kProcess) {
    return input_error("a cgroup or a container is recorded by eBPF only", {},
                       "leave --backend ptrace out");
  }
  return TargetRecording(target, spec).record();
}

}  // namespace whittle::record
