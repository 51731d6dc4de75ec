#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file_system.h"
#include "filter/compile.h"
#include "host/runtime.h"
#include "trial/probe.h"

namespace whittle::trial {

namespace {

constexpr const char* kContainerPath = "/whittle-probe";

// The program as a file that can be executed, for as long as the object lives.
class ProgramFile {
 public:
  static Result<ProgramFile> create() {
    TRY_ASSIGN(TemporaryDirectory directory, TemporaryDirectory::create("whittle-probe"));
    ProgramFile file(std::move(directory));
    TRY(write_file(file.path(), probe_program()));
    // Read by another user in a container whose user is not root.
    if (::chmod(file.path().c_str(), 0755) != 0) {
      return errno_error(ErrorKind::kEnvironment, "cannot make executable", errno, file.path());
    }
    return file;
  }
  std::string path() const { return directory_.path() + "/probe"; }

 private:
  explicit ProgramFile(TemporaryDirectory directory) : directory_(std::move(directory)) {}
  TemporaryDirectory directory_;
};

Result<std::string> read_back_output(int fd) {
  std::string text(64U << 10U, '\0');
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  if (n < 0) return errno_error(ErrorKind::kEnvironment, "cannot read the probe's report", errno);
  text.resize(static_cast<std::size_t>(n));
  return text;
}

// Its output goes to memory: nobody has to read while it runs.
Result<ProgramRun> run_to_end(host::LaunchSpec spec) {
  const UniqueFd output(::memfd_create("whittle-probe", MFD_CLOEXEC));
  if (!output.valid()) return errno_error(ErrorKind::kEnvironment, "memfd_create", errno);
  spec.output = output.get();
  TRY_ASSIGN(host::Launched child, host::launch(spec));
  TRY(child.release());
  ProgramRun run;
  run.status = child.wait();
  TRY_ASSIGN(run.output, read_back_output(output.get()));
  return run;
}

std::vector<std::string> command(const std::string& path,
                                 const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {path};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

Result<ProbeReport> probe_natively(const ProgramFile& program, const profile::Profile& profile) {
  TRY_ASSIGN(filter::Compiled compiled, filter::compile(profile, filter::Flavour::kNative));
  const std::vector<filter::Program> filters = {std::move(compiled.program)};
  const auto start = [&](const std::vector<std::string>& arguments) {
    host::LaunchSpec spec;
    spec.program = program.path();
    spec.argv = command(program.path(), arguments);
    spec.filter = filters.front();
    spec.no_new_privileges = true;
    return run_to_end(std::move(spec));
  };
  return run_probes(start, filters);
}

Result<ProbeReport> probe_in_container(const ProgramFile& program, const profile::Profile& profile,
                                       const std::string& profile_json,
                                       const std::string& runtime_name) {
  TRY_ASSIGN(const host::Runtime runtime, host::find_runtime(runtime_name));
  const auto flavour =
      runtime.kind == host::RuntimeKind::kRunc ? filter::Flavour::kRunc : filter::Flavour::kCrun;
  TRY_ASSIGN(filter::Compiled compiled, filter::compile(profile, flavour));
  const std::vector<filter::Program> filters = {std::move(compiled.program)};
  const auto start = [&](const std::vector<std::string>& arguments) -> Result<ProgramRun> {
    host::ContainerSpec container;
    container.argv = command(kContainerPath, arguments);
    container.profile_json = profile_json;
    container.binds = {{program.path(), kContainerPath}};
    TRY_ASSIGN(const host::Bundle bundle, host::Bundle::create(container));
    TRY_ASSIGN(host::LaunchSpec spec, host::run_spec(runtime, bundle));
    auto run = run_to_end(std::move(spec));
    host::delete_container(runtime, bundle);
    return run;
  };
  return run_probes(start, filters);
}

}  // namespace

Result<ProbeReport> probe_profile(const profile::Profile& profile, const std::string& profile_json,
                                  const std::string& runtime) {
  TRY_ASSIGN(const ProgramFile program, ProgramFile::create());
  if (runtime == "none") return probe_natively(program, profile);
  return probe_in_container(program, profile, profile_json, runtime);
}

}  // namespace whittle::trial
