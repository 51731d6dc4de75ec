#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <tuple>

#include "base/file_system.h"
#include "base/json.h"
#include "filter/compile.h"
#include "host/capabilities.h"
#include "host/kernel.h"
#include "host/runtime.h"
#include "profile/baseline.h"
#include "trial/probe.h"
#include "trial/probe_marker.h"

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
    // The program may run as another user.
    for (const std::string& path : {file.path(), file.directory_.path()}) {
      if (::chmod(path.c_str(), 0755) != 0) {
        return errno_error(ErrorKind::kEnvironment, "cannot make executable", errno, path);
      }
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

// What is run under: a compiled profile and the document, or nothing.
struct Loaded {
  std::vector<filter::Program> filters;
  std::string document;
};

Result<Loaded> load(const profile::Profile& profile, std::string document,
                    filter::Flavour flavour) {
  TRY_ASSIGN(filter::Compiled compiled, filter::compile(profile, flavour));
  return Loaded{{std::move(compiled.program)}, std::move(document)};
}

ProgramStarter native_starter(const ProgramFile& program, const ProbeSetting& setting,
                              const Loaded& loaded) {
  return [&program, &setting, &loaded](const std::vector<std::string>& arguments) {
    host::LaunchSpec spec;
    spec.program = program.path();
    spec.argv = command(program.path(), arguments);
    if (!loaded.filters.empty()) spec.filter = loaded.filters.front();
    spec.no_new_privileges = setting.no_new_privileges;
    spec.user = setting.user;
    spec.capabilities = setting.capabilities;
    return run_to_end(std::move(spec));
  };
}

std::vector<std::string> names_of(std::uint64_t capabilities) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < host::kCapabilities.size(); ++bit) {
    if ((capabilities >> bit & 1U) != 0) names.push_back(host::kCapabilities.at(bit));
  }
  return names;
}

ProgramStarter container_starter(const ProgramFile& program, const ProbeSetting& setting,
                                 const Loaded& loaded, const host::Runtime& runtime) {
  return [&](const std::vector<std::string>& arguments) -> Result<ProgramRun> {
    host::ContainerSpec container;
    container.argv = command(kContainerPath, arguments);
    container.profile_json = loaded.document;
    container.binds = {{program.path(), kContainerPath}};
    container.no_new_privileges = setting.no_new_privileges;
    if (setting.user) std::tie(container.uid, container.gid) = *setting.user;
    if (setting.capabilities) container.capabilities = names_of(*setting.capabilities);
    TRY_ASSIGN(const host::Bundle bundle, host::Bundle::create(container));
    TRY_ASSIGN(host::LaunchSpec spec, host::run_spec(runtime, bundle));
    auto run = run_to_end(std::move(spec));
    host::delete_container(runtime, bundle);
    return run;
  };
}

Result<ProbeReport> probe_natively(const ProgramFile& program, const ProbeSetting& setting,
                                   const profile::Profile* profile) {
  Loaded loaded;
  Loaded marked;
  ProbeRun run;
  run.capabilities = effective_capabilities(setting);
  run.start = native_starter(program, setting, loaded);
  if (profile == nullptr) return run_probes(run);
  TRY_ASSIGN(loaded, load(*profile, {}, filter::Flavour::kNative));
  run.filters = loaded.filters;
  if (auto with = with_marker(loaded.filters.front())) {
    marked.filters = {*std::move(with)};
    run.marked = marked.filters;
    run.start_marked = native_starter(program, setting, marked);
  }
  return run_probes(run);
}

Result<ProbeReport> probe_in_container(const ProgramFile& program, const ProbeSetting& setting,
                                       const profile::Profile* profile,
                                       const std::string& document) {
  TRY_ASSIGN(const host::Runtime runtime, host::find_runtime(setting.runtime));
  Loaded loaded;
  Loaded marked;
  ProbeRun run;
  run.capabilities = effective_capabilities(setting);
  run.start = container_starter(program, setting, loaded, runtime);
  if (profile == nullptr) return run_probes(run);
  const auto flavour =
      runtime.kind == host::RuntimeKind::kRunc ? filter::Flavour::kRunc : filter::Flavour::kCrun;
  TRY_ASSIGN(loaded, load(*profile, document, flavour));
  run.filters = loaded.filters;
  const profile::Profile other = with_marker(*profile);
  if (auto with = load(other, profile::write_oci(other), flavour)) {
    marked = *std::move(with);
    run.marked = marked.filters;
    run.start_marked = container_starter(program, setting, marked, runtime);
  }
  return run_probes(run);
}

Result<ProbeReport> probe(const ProbeSetting& setting, const profile::Profile* profile,
                          const std::string& document) {
  const bool other_privileges = setting.user || setting.capabilities;
  if (setting.runtime == "none" && other_privileges && ::geteuid() != 0) {
    return environment_error("another user or other capabilities need root", {},
                             "run as root, or without --user and --caps");
  }
  TRY_ASSIGN(const ProgramFile program, ProgramFile::create());
  if (setting.runtime == "none") return probe_natively(program, setting, profile);
  return probe_in_container(program, setting, profile, document);
}

// `process` of config.json (runtime-spec, config.md): what it leaves out is off, or root's.
Result<void> read_process(const json::View& config, ProbeSetting& setting) {
  TRY_ASSIGN(const json::View process, config.at("process"));
  TRY_ASSIGN(const auto no_new_privileges, process.find("noNewPrivileges"));
  setting.no_new_privileges = false;
  if (no_new_privileges) {
    TRY_ASSIGN(setting.no_new_privileges, no_new_privileges->boolean());
  }
  TRY_ASSIGN(const auto user, process.find("user"));
  if (user) {
    TRY_ASSIGN(const json::View uid, user->at("uid"));
    TRY_ASSIGN(const json::View gid, user->at("gid"));
    TRY_ASSIGN(const std::uint64_t uid_number, uid.u64(UINT32_MAX));
    TRY_ASSIGN(const std::uint64_t gid_number, gid.u64(UINT32_MAX));
    setting.user = {static_cast<unsigned>(uid_number), static_cast<unsigned>(gid_number)};
  }
  setting.capabilities = 0;
  TRY_ASSIGN(const auto capabilities, process.find("capabilities"));
  if (!capabilities) return {};
  TRY_ASSIGN(const auto bounding, capabilities->find("bounding"));
  if (!bounding) return {};
  std::vector<std::string> names;
  TRY_ASSIGN(const std::vector<json::View> items, bounding->items());
  for (const json::View& item : items) {
    TRY_ASSIGN(std::string name, item.string());
    names.push_back(std::move(name));
  }
  setting.capabilities = host::capability_bits(names);
  return {};
}

}  // namespace

std::uint64_t effective_capabilities(const ProbeSetting& setting) {
  const bool native = setting.runtime == "none";
  const bool root = setting.user ? setting.user->first == 0 : !native || ::geteuid() == 0;
  const std::uint64_t own = host::capabilities_after_exec();
  if (!root) return native && !setting.user ? own : 0;
  if (native) return own & setting.capabilities.value_or(kAllCapabilities);
  return setting.capabilities.value_or(host::capability_bits(profile::docker_default_caps()));
}

Result<ProbeSetting> probe_setting(const host::Workload& workload) {
  const host::WorkloadRun& run = workload.run;
  ProbeSetting setting;
  if (!run.runtime.empty()) setting.runtime = run.runtime;
  setting.no_new_privileges = run.no_new_privileges;
  if (run.uid) setting.user = {*run.uid, run.gid.value_or(*run.uid)};
  if (run.bundle.empty()) return setting;
  const std::string path = run.bundle + "/config.json";
  TRY_ASSIGN(const std::string text, read_file(path));
  TRY_ASSIGN(const json::Value config, json::parse(text, path));
  TRY(read_process(json::View(config, path), setting));
  return setting;
}

Result<ProbeReport> probe_profile(const profile::Profile& profile, const std::string& profile_json,
                                  const ProbeSetting& setting) {
  return probe(setting, &profile, profile_json);
}

Result<ProbeReport> probe_without_filter(const ProbeSetting& setting) {
  return probe(setting, nullptr, {});
}

}  // namespace whittle::trial
