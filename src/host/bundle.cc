#include "host/bundle.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "base/fd.h"
#include "base/text.h"
#include "host/mounts.h"

namespace whittle::host {

namespace {

namespace fs = std::filesystem;

// Docker's default set (moby, oci/caps/defaults.go).
constexpr std::array<const char*, 14> kCapabilities = {
    "CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
    "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",   "CAP_SETFCAP",
    "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};

constexpr const char* kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

json::Array strings(const std::vector<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

json::Value bind_mount(const std::string& source, const std::string& destination, bool read_only) {
  // Private: no mount or unmount inside reaches the host, and none of the host's reaches inside.
  json::Array options = {"rbind", "rprivate"};
  if (read_only) options.emplace_back("ro");
  json::Value mount;
  mount.set("destination", destination).set("type", "bind");
  mount.set("source", source).set("options", std::move(options));
  return mount;
}

tl::unexpected<Error> cannot_make(const std::error_code& error, const fs::path& place) {
  return errno_error(ErrorKind::kEnvironment, "cannot make the container's root file system",
                     error.value(), place.string());
}

// A mount point of the kind that the source needs.
Result<void> make_mount_point(const fs::path& path, bool directory) {
  std::error_code error;
  if (directory) {
    fs::create_directories(path, error);
    if (error) return cannot_make(error, path);
    return {};
  }
  fs::create_directories(path.parent_path(), error);
  if (error) return cannot_make(error, path);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.valid()) return cannot_make({errno, std::generic_category()}, path);
  return {};
}

// "/tmp" of "/tmp/x/y"
std::string top_of(const std::string& path) { return path.substr(0, path.find('/', 1)); }

// The entries of the host's root directory, sorted; the one that holds `inside` first: mounted
// later, it would take copies of all the mounts made before it along, since they lie below it.
Result<std::vector<fs::directory_entry>> top_entries(const std::string& inside) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator it("/", error), end; !error && it != end; it.increment(error)) {
    entries.push_back(*it);
  }
  if (error) return cannot_make(error, "/");
  const std::string first = top_of(inside);
  std::sort(entries.begin(), entries.end(), [&first](const auto& a, const auto& b) {
    return std::make_pair(a.path() != first, a.path()) <
           std::make_pair(b.path() != first, b.path());
  });
  return entries;
}

// Fills rootfs and gives the mounts that go over it: a link for a link, a bind mount for the rest.
Result<json::Array> mirror_host(const fs::path& rootfs) {
  std::error_code error;
  const fs::path real = fs::canonical(rootfs, error);
  if (error) return cannot_make(error, rootfs);
  TRY_ASSIGN(const auto entries, top_entries(real.string()));
  json::Array mounts;
  for (const fs::directory_entry& entry : entries) {
    const fs::path inside = rootfs / entry.path().filename();
    if (entry.is_symlink(error)) {
      fs::copy_symlink(entry.path(), inside, error);
      if (error) return cannot_make(error, inside);
      continue;
    }
    TRY(make_mount_point(inside, entry.is_directory(error)));
    mounts.push_back(bind_mount(entry.path().string(), entry.path().string(), false));
  }
  return mounts;
}

Result<void> add_bind(const fs::path& rootfs, const std::string& source,
                      const std::string& destination, json::Array& mounts) {
  std::error_code error;
  const fs::file_status status = fs::status(source, error);
  if (!fs::exists(status)) return input_error("no such file to bind", printable(source));
  if (!destination.starts_with('/') || destination == "/") {
    return input_error("a bind needs an absolute path below / in the container",
                       printable(destination));
  }
  if (fs::exists(fs::symlink_status(top_of(destination), error))) {
    if (!fs::exists(destination, error)) {
      return input_error("no such path to bind over", printable(destination),
                         "the container shares the host's directories: make it there first");
    }
  } else {
    TRY(make_mount_point(fs::path(rootfs.string() + destination), fs::is_directory(status)));
  }
  mounts.push_back(bind_mount(fs::absolute(source, error).string(), destination, true));
  return {};
}

json::Value capabilities(const ContainerSpec& spec) {
  const json::Array all = spec.capabilities
                              ? strings(*spec.capabilities)
                              : json::Array(kCapabilities.begin(), kCapabilities.end());
  const json::Array held = spec.uid == 0 ? all : json::Array{};
  json::Value result;
  result.set("bounding", all).set("effective", held).set("permitted", held);
  result.set("inheritable", json::Array{}).set("ambient", json::Array{});
  return result;
}

// Ours, as a program started natively has it: runc would raise the soft limit to the hard one, and
// programs size their tables by it. Neither limit is raised, so it takes no capability.
json::Array open_file_limit() {
  rlimit ours = {};
  ::getrlimit(RLIMIT_NOFILE, &ours);
  json::Value limit;
  limit.set("type", "RLIMIT_NOFILE").set("hard", ours.rlim_max).set("soft", ours.rlim_cur);
  return {std::move(limit)};
}

json::Value process_section(const ContainerSpec& spec, const std::vector<std::string>& argv) {
  std::vector<std::string> environment = spec.environment;
  const bool has_path = std::any_of(environment.begin(), environment.end(),
                                    [](const std::string& s) { return s.starts_with("PATH="); });
  if (!has_path) environment.emplace_back(kDefaultPath);
  json::Value user;
  user.set("uid", spec.uid).set("gid", spec.gid);
  json::Value result;
  result.set("terminal", false).set("user", std::move(user)).set("args", strings(argv));
  result.set("env", strings(environment)).set("cwd", spec.directory);
  result.set("capabilities", capabilities(spec));
  result.set("noNewPrivileges", spec.no_new_privileges).set("rlimits", open_file_limit());
  return result;
}

json::Array namespaces_of(const std::vector<const char*>& types) {
  json::Array namespaces;
  for (const char* type : types) namespaces.push_back(json::Value().set("type", type));
  return namespaces;
}

json::Value linux_section(std::optional<json::Value> profile, const std::string& id) {
  json::Array namespaces = namespaces_of({"mount", "ipc", "uts"});
  // All devices, said explicitly: without a word runc takes Docker's short list and crun takes all.
  json::Value every_device;
  every_device.set("allow", true).set("access", "rwm");
  json::Value result;
  result.set("namespaces", std::move(namespaces)).set("cgroupsPath", "/" + id);
  result.set("resources", json::Value().set("devices", json::Array{std::move(every_device)}));
  if (profile) result.set("seccomp", *std::move(profile));
  return result;
}

// Mounts at or below `directory` in our mount namespace, the latest last; nullopt when that cannot
// be known.
std::optional<std::vector<std::string>> mounts_below(const std::string& directory) {
  std::error_code error;
  const std::string real = fs::canonical(directory, error).string();
  auto table = own_mounts();
  if (error || !table) return std::nullopt;
  std::vector<std::string> found;
  for (Mount& mount : *table) {
    if (mount.point == real || mount.point.starts_with(real + "/")) {
      found.push_back(std::move(mount.point));
    }
  }
  return found;
}

// Whether nothing is mounted below the directory any more.
bool detach_mounts(const std::string& directory) {
  auto mounts = mounts_below(directory);
  if (!mounts) return false;
  if (mounts->empty()) return true;
  std::for_each(mounts->rbegin(), mounts->rend(), [](const std::string& point) {
    ::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  });
  mounts = mounts_below(directory);
  return mounts && mounts->empty();
}

std::string next_id() {
  static unsigned count = 0;
  return format("whittle-{}-{}", ::getpid(), ++count);
}

Result<std::optional<json::Value>> parsed_profile(const std::string& text) {
  if (text.empty()) return std::optional<json::Value>();
  TRY_ASSIGN(json::Value profile, json::parse(text, "profile"));
  return std::optional(std::move(profile));
}

json::Value mount_of(const char* destination, const char* type, const char* source,
                     const std::vector<const char*>& options) {
  json::Value mount;
  mount.set("destination", destination).set("type", type).set("source", source);
  mount.set("options", json::Array(options.begin(), options.end()));
  return mount;
}

// What Docker mounts (moby, oci/defaults.go).
json::Array usual_mounts() {
  return {
      mount_of("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
      mount_of("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
      mount_of("/dev/pts", "devpts", "devpts",
               {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
      mount_of("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
      mount_of("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
      mount_of("/dev/shm", "tmpfs", "shm",
               {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
  };
}

// Changes a member where there is one, and adds it where there is none.
void put(json::Value& object, const std::string& key, json::Value value) {
  if (json::Object* members = object.object()) {
    for (auto& [name, old] : *members) {
      if (name == key) {
        old = std::move(value);
        return;
      }
    }
  }
  object.set(key, std::move(value));
}

void remove(json::Value& object, std::string_view key) {
  if (json::Object* members = object.object()) {
    std::erase_if(*members, [key](const auto& member) { return member.first == key; });
  }
}

json::Value* member(json::Value& object, std::string_view key) {
  return const_cast<json::Value*>(object.find(key));
}

// A path relative to the bundle, made absolute.
void resolve(json::Value& object, const char* key, const fs::path& bundle) {
  const json::Value* found = object.find(key);
  if (found == nullptr || found->string() == nullptr || found->string()->starts_with('/')) return;
  put(object, key, (bundle / *found->string()).lexically_normal().string());
}

// Sources of bind mounts are paths, those of other file systems are names.
bool is_bind(const json::Value& mount) {
  const json::Value* type = mount.find("type");
  if (type != nullptr && type->string() != nullptr && *type->string() == "bind") return true;
  const json::Value* options = mount.find("options");
  if (options == nullptr || options->array() == nullptr) return false;
  return std::any_of(options->array()->begin(), options->array()->end(), [](const auto& option) {
    return option.string() != nullptr &&
           (*option.string() == "bind" || *option.string() == "rbind");
  });
}

}  // namespace

Result<Bundle> Bundle::make() {
  TRY_ASSIGN(TemporaryDirectory directory, TemporaryDirectory::create("whittle-bundle"));
  Bundle bundle(std::move(directory), next_id());
  TRY(make_mount_point(bundle.null_path(), true));
  return bundle;
}

Result<void> Bundle::write_config(const json::Value& config) {
  process_ = *config.find("process");
  const json::View process(process_, "config.json");
  TRY_ASSIGN(const auto user, process.find("user"));
  if (user) {
    TRY_ASSIGN(const auto uid, user->find("uid"));
    if (uid) {
      TRY_ASSIGN(const std::uint64_t number, uid->u64(UINT32_MAX));
      uid_ = static_cast<unsigned>(number);
    }
  }
  return write_file(path() + "/config.json", json::dump(config) + "\n");
}

Result<Bundle> Bundle::create(const ContainerSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return input_error("the command is empty");
  std::error_code error;
  if (!spec.directory.starts_with('/') || !fs::is_directory(spec.directory, error)) {
    return input_error("no such directory, or not an absolute path", printable(spec.directory));
  }
  TRY_ASSIGN(std::optional<json::Value> profile, parsed_profile(spec.profile_json));
  TRY_ASSIGN(Bundle bundle, make());
  const fs::path rootfs = fs::path(bundle.path()) / "rootfs";
  fs::create_directory(rootfs, error);
  // Whatever the umask: it is the container's /, which every user must be able to pass.
  if (!error) fs::permissions(rootfs, static_cast<fs::perms>(0755), error);
  if (error) return cannot_make(error, rootfs);
  TRY_ASSIGN(json::Array mounts, mirror_host(rootfs));
  for (const auto& [source, destination] : spec.binds) {
    TRY(add_bind(rootfs, source, destination, mounts));
  }
  json::Value config;
  config.set("ociVersion", "1.0.2").set("process", process_section(spec, spec.argv));
  config.set("root", json::Value().set("path", "rootfs").set("readonly", false));
  config.set("mounts", std::move(mounts));
  config.set("linux", linux_section(std::move(profile), bundle.id()));
  TRY(bundle.write_config(config));
  return bundle;
}

Result<Bundle> Bundle::of_rootfs(const std::string& rootfs, const ContainerSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return input_error("the command is empty");
  std::error_code error;
  const std::string root = fs::canonical(rootfs, error).string();
  if (error || !fs::is_directory(root, error)) {
    return input_error("no such directory", printable(rootfs),
                       "it is to be the root file system of a container");
  }
  if (!spec.directory.starts_with('/') || !fs::is_directory(root + spec.directory, error)) {
    return input_error("no such directory in the container, or not an absolute path",
                       printable(spec.directory));
  }
  TRY_ASSIGN(std::optional<json::Value> profile, parsed_profile(spec.profile_json));
  TRY_ASSIGN(Bundle bundle, make());
  json::Value config;
  config.set("ociVersion", "1.0.2").set("process", process_section(spec, spec.argv));
  config.set("root", json::Value().set("path", root).set("readonly", false));
  config.set("mounts", usual_mounts());
  json::Value section = linux_section(std::move(profile), bundle.id());
  put(section, "namespaces", namespaces_of({"mount", "ipc", "uts", "pid"}));
  // The runtime's own short list of devices: all that is there are those that it makes.
  remove(section, "resources");
  config.set("linux", std::move(section));
  bundle.root_ = root;
  TRY(bundle.write_config(config));
  return bundle;
}

Result<Bundle> Bundle::of_bundle(const std::string& bundle, const std::string& profile_json) {
  const std::string path = bundle + "/config.json";
  TRY_ASSIGN(const std::string text, read_file(path, 16U << 20U));
  TRY_ASSIGN(json::Value config, json::parse(text, path));
  {
    const json::View view(config, path);
    TRY_ASSIGN(const json::View process, view.at("process"));
    TRY_ASSIGN(const json::View args, process.at("args"));
    TRY_ASSIGN(const auto words, args.items());
    if (words.empty()) return args.error("the command is empty");
    for (const json::View& word : words) TRY(word.string());
    TRY_ASSIGN(const json::View root, view.at("root"));
    TRY_ASSIGN(const json::View root_path, root.at("path"));
    TRY(root_path.string());
  }
  TRY_ASSIGN(std::optional<json::Value> profile, parsed_profile(profile_json));
  put(*member(config, "process"), "terminal", false);
  remove(*member(config, "process"), "consoleSize");
  resolve(*member(config, "root"), "path", bundle);
  if (json::Value* mounts = member(config, "mounts"); mounts != nullptr && mounts->array()) {
    for (json::Value& mount : *mounts->array()) {
      if (is_bind(mount)) resolve(mount, "source", bundle);
    }
  }
  if (config.find("linux") == nullptr) config.set("linux", json::Object{});
  json::Value& section = *member(config, "linux");
  remove(section, "seccomp");
  if (profile) section.set("seccomp", *std::move(profile));
  TRY_ASSIGN(Bundle made, make());
  made.root_ = *config.find("root")->find("path")->string();
  TRY(made.write_config(config));
  return made;
}

std::vector<std::string> Bundle::command() const {
  std::vector<std::string> words;
  const json::Value* args = process_.find("args");
  if (args == nullptr || args->array() == nullptr) return words;
  for (const json::Value& word : *args->array()) {
    if (word.string() != nullptr) words.push_back(*word.string());
  }
  return words;
}

json::Value Bundle::process(const std::vector<std::string>& argv) const {
  json::Value process = process_;
  put(process, "args", strings(argv));
  return process;
}

Bundle::~Bundle() {
  if (!path().empty() && !detach_mounts(path())) directory_.keep();
}

}  // namespace whittle::host
