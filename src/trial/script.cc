#include "trial/script.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "base/fd.h"
#include "base/file_system.h"
#include "base/text.h"

namespace whittle::trial {

namespace {

constexpr std::size_t kLine = 256;             // BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h
constexpr int kMostInterpreters = 5;           // the kernel gives up then (fs/exec.c)
constexpr std::size_t kProcLimit = 1U << 20U;  // bytes of arguments, and of the environment

struct File {
  UniqueFd fd;
  std::string path;  // in its root, without links
};

// A regular file. Nothing else is opened for reading: a FIFO would wait, a device may act.
std::optional<File> open_in(const Place& place, const std::string& path) {
  const UniqueFd root(::open(place.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return std::nullopt;
  const std::string whole = path.starts_with('/') ? path : place.directory + "/" + path;
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const UniqueFd found(
      static_cast<int>(::syscall(SYS_openat2, root.get(), whole.c_str(), &how, sizeof how)));
  struct stat status = {};
  if (!found.valid() || ::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  const std::string link = format("/proc/self/fd/{}", found.get());
  std::error_code unknown;
  File file;
  file.path = std::filesystem::read_symlink(link, unknown).string();
  file.fd = UniqueFd(::open(link.c_str(), O_RDONLY | O_CLOEXEC));
  if (unknown || !file.fd.valid()) return std::nullopt;
  return file;
}

std::vector<std::string> line_of(const File& file) {
  char start[kLine];
  const ssize_t n = ::pread(file.fd.get(), start, sizeof start, 0);
  return n <= 0 ? std::vector<std::string>()
                : interpreter_line({start, static_cast<std::size_t>(n)});
}

// As execvp(3) looks.
std::string searched(const std::string& name, const Place& place) {
  if (name.find('/') != std::string::npos) return name;
  for (const std::string& directory : split(place.search, ':')) {
    const std::string path = (directory.empty() ? "." : directory) + "/" + name;
    if (open_in(place, path)) return path;
  }
  return {};
}

// What runs for a script with that line.
std::string next_of(const std::vector<std::string>& line, const Place& place) {
  const std::string& interpreter = line[0];
  const bool env = interpreter.substr(interpreter.rfind('/') + 1) == "env";
  if (!env || line.size() < 2) return interpreter;
  const std::string target = env_target(line[1]);
  const std::string found = target.empty() ? std::string() : searched(target, place);
  return found.empty() ? interpreter : found;
}

std::vector<std::string> proc_words(pid_t pid, const char* file) {
  const auto text = read_file(format("/proc/{}/{}", pid, file), kProcLimit);
  return text ? split(*text, '\0') : std::vector<std::string>();
}

// The index of the script that args[from], an interpreter, was started for; nullopt: none.
std::optional<std::size_t> script_after(const std::vector<std::string>& args, std::size_t from,
                                        const Place& place) {
  for (const std::size_t at : {from + 1, from + 2}) {
    if (at >= args.size() || args[at].empty()) return std::nullopt;
    const auto file = open_in(place, args[at]);
    if (!file) continue;
    const auto line = line_of(*file);
    if (line.size() != at - from || line[0] != args[from]) continue;
    if (line.size() == 2 && line[1] != args[from + 1]) continue;
    return at;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> interpreter_line(std::string_view start) {
  constexpr std::string_view kBlank = " \t";
  start = start.substr(0, kLine);
  if (!start.starts_with("#!")) return {};
  std::string_view line = start.substr(2, start.find_first_of(std::string_view("\n\0", 2)) - 2);
  const auto first = line.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  line = line.substr(first, line.find_last_not_of(kBlank) + 1 - first);
  const auto end = line.find_first_of(kBlank);
  std::vector<std::string> words = {std::string(line.substr(0, end))};
  if (end != std::string_view::npos) {
    words.emplace_back(line.substr(line.find_first_not_of(kBlank, end)));
  }
  return words;
}

std::string env_target(std::string_view argument) {
  bool separate = false;  // the word belongs to the option before it
  // The kernel gives one argument; only -S makes several of it (env(1)).
  if (!argument.starts_with("-S") && !argument.starts_with("--split-string=")) {
    return argument.starts_with('-') || argument.find('=') != std::string_view::npos
               ? std::string()
               : std::string(argument);
  }
  const auto skip = argument.starts_with("-S") ? 2 : argument.find('=') + 1;
  for (const std::string& word : split(std::string(argument.substr(skip)), ' ')) {
    if (word.empty()) continue;
    if (separate) {
      separate = false;
    } else if (word.starts_with('-')) {
      separate = word == "-u" || word == "-C";
    } else if (word.find('=') == std::string::npos) {
      return word;
    }
  }
  return {};
}

ScriptedProgram program_of(const std::string& path, const Place& place) {
  ScriptedProgram result;
  std::string next = path;
  for (int i = 0; i <= kMostInterpreters; ++i) {
    const auto file = open_in(place, next);
    if (!file) return result;
    const auto line = line_of(*file);
    if (i == 0 && !line.empty()) result.script = file->path;
    result.program = file->path;
    if (line.empty()) return result;
    next = next_of(line, place);
  }
  return result;
}

ScriptedProgram script_of(pid_t pid) {
  const std::string process = format("/proc/{}", pid);
  std::error_code unknown;
  Place place;
  place.root = process + "/root";
  place.directory = std::filesystem::read_symlink(process + "/cwd", unknown).string();
  for (const std::string& variable : proc_words(pid, "environ")) {
    if (variable.starts_with("PATH=")) place.search = variable.substr(5);
  }
  const auto args = proc_words(pid, "cmdline");
  std::optional<std::size_t> script;
  for (std::size_t from = 0; from < args.size() && from < 2 * kMostInterpreters;) {
    const auto after = script_after(args, from, place);
    if (!after) break;
    script = from = *after;
  }
  return script ? program_of(args[*script], place) : ScriptedProgram();
}

}  // namespace whittle::trial
