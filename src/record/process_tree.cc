#include "record/process_tree.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>

#include "base/file_system.h"
#include "base/text.h"

namespace whittle::record {

namespace {

// The entries of a directory of /proc that are numbers.
std::vector<pid_t> numbers_in(const std::string& path) {
  std::vector<pid_t> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  if (directory == nullptr) return numbers;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (const auto number = parse_u64(entry->d_name)) {
      numbers.push_back(static_cast<pid_t>(*number));
    }
  }
  return numbers;
}

pid_t pid_field(pid_t task, std::string_view key) {
  return static_cast<pid_t>(parse_u64(status_field(task, key)).value_or(0));
}

}  // namespace

std::string status_field(pid_t task, std::string_view key) {
  const auto text = read_file(format("/proc/{}/status", task), 64U << 10U);
  if (!text) return {};
  for (const std::string& line : split(*text, '\n')) {
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':') {
      return std::string(trim(std::string_view(line).substr(key.size() + 1)));
    }
  }
  return {};
}

std::vector<pid_t> threads_of(pid_t process) {
  return numbers_in(format("/proc/{}/task", process));
}

std::vector<pid_t> tree_of(pid_t process) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : numbers_in("/proc")) children.emplace(pid_field(pid, "PPid"), pid);
  std::vector<pid_t> tree = {process};
  for (std::size_t next = 0; next < tree.size(); ++next) {
    const auto [first, last] = children.equal_range(tree[next]);
    for (auto child = first; child != last; ++child) tree.push_back(child->second);
  }
  return tree;
}

std::string executable_of(pid_t task) {
  std::string target(4096, '\0');
  const ssize_t size =
      ::readlink(format("/proc/{}/exe", task).c_str(), target.data(), target.size());
  target.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return printable(target, 512);
}

bool has_ended(pid_t task) {
  const std::string state = status_field(task, "State");
  return state.empty() || state[0] == 'Z' || state[0] == 'X';
}

pid_t tracer_of(pid_t task) { return pid_field(task, "TracerPid"); }

}  // namespace whittle::record
