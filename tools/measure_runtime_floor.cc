// Measures what a container runtime calls itself between loading the filter and execve.
//
//   measure-runtime-floor RUNTIME STARTS      as root; RUNTIME is runc or crun
//
// Starts containers in every situation that changes the runtime's path (no_new_privileges on and
// off, root and another user, run and exec) STARTS times each, under a filter that allows
// everything but clone3, and counts in the kernel (record/ebpf_recorder.h) every call made under
// the filter before execve. Prints rows of data/runtime-floor.tsv: the union of the starts of each
// situation.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <set>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "host/launch.h"
#include "host/runtime.h"
#include "record/ebpf_recorder.h"

namespace whittle {
namespace {

constexpr const char* kProfile =
    R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
        "SCMP_ARCH_X32"], "syscalls": [{"names": ["clone3"], "action": "SCMP_ACT_ERRNO",
        "errnoRet": 38}]})";

struct Situation {
  bool no_new_privileges;
  unsigned uid;
  bool exec;
};

// Launches, follows until the runtime ends, and adds the names of the runtime's own phase.
Result<void> measure(const host::LaunchSpec& launch, std::set<std::string>& names) {
  TRY_ASSIGN(record::EbpfRecorder recorder, record::EbpfRecorder::open());
  TRY_ASSIGN(host::Launched child, host::launch(launch));
  TRY(recorder.add(child.pidfd(), record::EbpfRecorder::Start::kUnderFilter));
  TRY(child.release());
  const ExitStatus status = child.wait();
  if (!status.success()) return environment_error("the container failed: " + status.text());
  TRY_ASSIGN(const record::Snapshot snapshot, recorder.snapshot());
  bool reached_exec = false;
  for (const evidence::Observation& seen : snapshot.syscalls) {
    if (seen.phases.empty() || seen.phases.front() != record::kRuntimePhase) continue;
    names.insert(seen.name);
    reached_exec = reached_exec || seen.name == "execve";
  }
  if (!reached_exec) return environment_error("no execve was seen under the filter");
  return {};
}

Result<void> start_once(const host::Runtime& runtime, const Situation& situation,
                        std::set<std::string>& names) {
  host::ContainerSpec spec;
  spec.argv =
      situation.exec ? std::vector<std::string>{"sleep", "60"} : std::vector<std::string>{"true"};
  spec.profile_json = kProfile;
  spec.no_new_privileges = situation.no_new_privileges;
  spec.uid = situation.uid;
  spec.gid = situation.uid;
  TRY_ASSIGN(const host::Bundle bundle, host::Bundle::create(spec));
  TRY_ASSIGN(const host::LaunchSpec run, host::run_spec(runtime, bundle));
  if (!situation.exec) {
    Result<void> measured = measure(run, names);
    host::delete_container(runtime, bundle);
    return measured;
  }
  TRY_ASSIGN(host::Launched container, host::launch(run));
  TRY(container.release());
  const double deadline = monotonic_seconds() + 10;
  while (true) {
    TRY_ASSIGN(const std::optional<pid_t> pid, host::container_pid(runtime, bundle));
    if (pid) break;
    if (monotonic_seconds() > deadline) return environment_error("the container did not start");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  TRY_ASSIGN(const host::LaunchSpec exec, host::exec_spec(runtime, bundle, {"true"}));
  Result<void> measured = measure(exec, names);
  TRY(host::signal_container(runtime, bundle, SIGKILL));
  container.wait();
  host::delete_container(runtime, bundle);
  return measured;
}

Result<void> run(const std::string& name, std::uint64_t starts) {
  TRY_ASSIGN(const host::Runtime runtime, host::find_runtime(name));
  const std::string version = runtime.version.substr(0, runtime.version.find('+'));
  for (const bool no_new_privileges : {true, false}) {
    for (const unsigned uid : {0U, 1000U}) {
      for (const bool exec : {false, true}) {
        std::set<std::string> names;
        for (std::uint64_t i = 0; i < starts; ++i) {
          TRY(start_once(runtime, {no_new_privileges, uid, exec}, names));
        }
        std::printf("%s\t%s\t%s\t%s\t%s\t%lu\tmeasured\t%s\n", name.c_str(), version.c_str(),
                    no_new_privileges ? "on" : "off", uid == 0 ? "root" : "user",
                    exec ? "exec" : "run", static_cast<unsigned long>(starts),
                    join(std::vector<std::string>(names.begin(), names.end()), " ").c_str());
        std::fflush(stdout);
      }
    }
  }
  return {};
}

}  // namespace
}  // namespace whittle

int main(int argc, char** argv) {
  const auto starts = argc == 3 ? whittle::parse_u64(argv[2]) : std::nullopt;
  if (!starts || *starts == 0) {
    std::fprintf(stderr, "usage: measure-runtime-floor runc|crun STARTS   (as root)\n");
    return 2;
  }
  const auto done = whittle::run(argv[1], *starts);
  if (!done) {
    std::fprintf(stderr, "measure-runtime-floor: %s\n", done.error().text().c_str());
    return done.error().exit_code();
  }
  return 0;
}
