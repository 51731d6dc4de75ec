#include "trial/versions.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "base/fd.h"
#include "base/file_system.h"
#include "base/process.h"
#include "base/text.h"
#include "filter/library.h"
#include "record/elf_file.h"
#include "trial/script.h"

namespace whittle::trial {

namespace {

constexpr std::size_t kLibraryLimit = 16U << 20U;  // bytes of a dynamic loader, at most
constexpr double kPackageLimit = 30;               // seconds that the package manager may take

// The dynamic loader that the file asks for (PT_INTERP, elf(5)); empty: none.
std::string interpreter_of(const record::ElfFile& file) {
  const record::ElfSection* section = file.section(".interp");
  if (section == nullptr || section->size == 0 || section->size > 4096) return {};
  std::string path(section->size, '\0');
  const ssize_t n =
      ::pread(file.fd(), path.data(), path.size(), static_cast<off_t>(section->offset));
  if (n != static_cast<ssize_t>(path.size())) return {};
  return path.substr(0, path.find('\0'));
}

// "ld.so (Debian GLIBC 2.36-9+deb12u10) stable release version 2.36." (glibc, elf/version.c)
std::string glibc_version(std::string_view bytes) {
  constexpr std::string_view kBefore = "ld.so (";
  constexpr std::string_view kAfter = " release version ";
  for (auto at = bytes.find(kBefore); at != std::string_view::npos;
       at = bytes.find(kBefore, at + 1)) {
    const std::string_view line = bytes.substr(at, std::min<std::size_t>(200, bytes.size() - at));
    const std::string_view text = line.substr(0, line.find('\0'));
    const auto version = text.find(kAfter);
    if (version == std::string_view::npos) continue;
    const auto end = text.find(')');
    const std::string_view package = text.substr(kBefore.size(), end - kBefore.size());
    // Built without a package's name it is "(GNU libc)".
    if (package.find_first_of("0123456789") != std::string_view::npos) return std::string(package);
    std::string_view number = text.substr(version + kAfter.size());
    if (number.ends_with('.')) number.remove_suffix(1);
    return format("{} {}", package, number);
  }
  return {};
}

// A text of its own such as "1.2.3" (musl, src/internal/version.c).
std::string musl_version(std::string_view bytes) {
  for (std::size_t at = bytes.find('\0'); at != std::string_view::npos;
       at = bytes.find('\0', at + 1)) {
    const std::string_view rest = bytes.substr(at + 1, 16);
    const auto end = rest.find('\0');
    if (end == std::string_view::npos || end < 5 ||
        std::isdigit(static_cast<unsigned char>(rest[0])) == 0)
      continue;
    const std::string_view text = rest.substr(0, end);
    const bool number = text.find_first_not_of("0123456789.") == std::string_view::npos;
    if (number && std::count(text.begin(), text.end(), '.') == 2) return format("musl {}", text);
  }
  return "musl";
}

std::string libc_of(const std::string& interpreter, const std::string& root) {
  if (interpreter.empty()) return "none (static)";
  const auto bytes = read_file(root + interpreter, kLibraryLimit);
  if (!bytes) return interpreter;
  if (interpreter.find("musl") != std::string::npos) return musl_version(*bytes);
  const std::string version = glibc_version(*bytes);
  return version.empty() ? interpreter : version;
}

// "nginx 1.22.1-9+deb12u3" by dpkg's database, which a container has below its root; empty: none.
std::string package_of(const std::string& path, const std::string& root) {
  const std::string database = root + "/var/lib/dpkg";
  std::error_code unknown;
  if (!std::filesystem::is_directory(database, unknown)) return {};
  CommandOptions options;
  options.time_limit = kPackageLimit;
  // Installed as /bin/x where /bin is a link, a file is known by that path alone.
  for (const std::string& name : {path, path.starts_with("/usr/") ? path.substr(4) : path}) {
    const auto owner = run_command({"dpkg-query", "--admindir", database, "-S", name}, options);
    if (!owner || !owner->status.success()) continue;
    const std::string package = owner->output.substr(0, owner->output.find(": "));
    const auto version = run_command(
        {"dpkg-query", "--admindir", database, "-W", "-f", "${Package} ${Version}", package},
        options);
    if (version && version->status.success()) return printable(trim(version->output));
  }
  return {};
}

// The library that a runtime loads which does not say it (crun): by the name of the file that the
// usual link points to, "libseccomp.so.2.5.4". Empty: not found, or it is linked into the runtime.
std::string installed_libseccomp() {
  constexpr std::string_view kName = "libseccomp.so.";
  for (const char* directory : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                "/usr/lib64", "/lib64", "/usr/lib", "/lib"}) {
    std::error_code missing;
    const std::string file =
        std::filesystem::canonical(std::string(directory) + "/libseccomp.so.2", missing)
            .filename()
            .string();
    if (!missing && file.starts_with(kName)) return printable(file.substr(kName.size()));
  }
  return {};
}

void describe(const std::string& file, const std::string& root, Versions& versions) {
  const auto elf = record::ElfFile::open(UniqueFd(::open(file.c_str(), O_RDONLY | O_CLOEXEC)));
  if (elf == nullptr) return;
  versions.build_id = elf->build_id();
  versions.libc = libc_of(interpreter_of(*elf), root);
}

}  // namespace

Versions versions_here(const host::Runtime* runtime) {
  Versions versions;
  utsname names = {};
  ::uname(&names);
  versions.kernel = format("{} {}", names.release, names.machine);
  if (runtime == nullptr) {
    versions.libseccomp = filter::libseccomp().runs;
    return versions;
  }
  versions.runtime = format("{} {}", runtime->kind == host::RuntimeKind::kRunc ? "runc" : "crun",
                            runtime->version);
  versions.libseccomp = runtime->libseccomp.empty() ? installed_libseccomp() : runtime->libseccomp;
  return versions;
}

void add_program_versions(pid_t pid, Versions& versions) {
  const std::string process = format("/proc/{}", pid);
  const ScriptedProgram scripted = script_of(pid);
  if (!scripted.script.empty() && !scripted.program.empty()) {
    versions.script = scripted.script;
    versions.program = scripted.program;
    describe(process + "/root" + scripted.program, process + "/root", versions);
    return;
  }
  std::error_code unknown;
  versions.program = std::filesystem::read_symlink(process + "/exe", unknown).string();
  describe(process + "/exe", process + "/root", versions);
}

void add_program_versions(const std::string& path, const std::string& search, Versions& versions) {
  Place place;
  place.search = search;
  std::error_code unknown;
  place.directory = std::filesystem::current_path(unknown).string();
  const ScriptedProgram found = program_of(path, place);
  versions.script = found.script;
  versions.program = found.program.empty() ? path : found.program;
  describe(versions.program, "", versions);
}

void add_package_version(const std::string& root, Versions& versions) {
  if (!versions.program.empty()) versions.package = package_of(versions.program, root);
}

}  // namespace whittle::trial
