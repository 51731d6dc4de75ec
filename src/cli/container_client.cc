#include "cli/container_client.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "base/text.h"

namespace whittle::cli {

namespace {

using Words = std::span<const std::string>;

// How a client names the container that its commands make.
enum class Naming {
  kOption,  // --name NAME
  kFirst,   // runc run ID
  kSecond,  // ctr run IMAGE ID
  kNever,   // crictl answers with the id of its own making
};

struct Client {
  std::string_view program;
  Naming naming;
};

constexpr std::array kClients = {Client{"docker", Naming::kOption},
                                 Client{"podman", Naming::kOption},
                                 Client{"podman-remote", Naming::kOption},
                                 Client{"nerdctl", Naming::kOption},
                                 Client{"docker-compose", Naming::kNever},
                                 Client{"ctr", Naming::kSecond},
                                 Client{"crictl", Naming::kNever},
                                 Client{"runc", Naming::kFirst},
                                 Client{"crun", Naming::kFirst}};

constexpr std::array<std::string_view, 6> kCommands = {"run",   "exec",    "create",
                                                       "start", "restart", "up"};

// Options of these clients whose next word is their value, where words without a dash are counted.
constexpr std::array<std::string_view, 34> kWithValue = {"--apparmor", "--bundle",
                                                         "--cap",      "--cgroup",
                                                         "--config",   "--console-socket",
                                                         "--cwd",      "--detach-keys",
                                                         "--env",      "--env-file",
                                                         "--exec-id",  "--fifo-dir",
                                                         "--gid",      "--label",
                                                         "--log-uri",  "--mount",
                                                         "--name",     "--pid-file",
                                                         "--platform", "--preserve-fds",
                                                         "--process",  "--runc-binary",
                                                         "--runtime",  "--snapshotter",
                                                         "--timeout",  "--time",
                                                         "--user",     "--workdir",
                                                         "-b",         "-e",
                                                         "-f",         "-p",
                                                         "-u",         "-w"};

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The words after the options, as far as the first `most` of them.
std::vector<std::string> positionals(Words words, std::size_t most) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < words.size() && found.size() < most; ++i) {
    if (std::find(kWithValue.begin(), kWithValue.end(), words[i]) != kWithValue.end()) {
      ++i;
    } else if (!words[i].starts_with('-')) {
      found.push_back(words[i]);
    }
  }
  return found;
}

// The value of --name; empty when there is none.
std::string name_option(Words words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with("--name=")) return words[i].substr(7);
    if (words[i] == "--name" && i + 1 < words.size()) return words[i + 1];
  }
  return {};
}

std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

std::string shell(const std::vector<std::string>& words) {
  std::vector<std::string> parts;
  std::transform(words.begin(), words.end(), std::back_inserter(parts), quoted);
  return join(parts, " ");
}

// The container that the words after run, exec, ... are about; empty when they do not say.
std::string container_of(const Client& client, std::string_view command, Words words) {
  const bool makes = command == "run" || command == "create";
  if (makes && client.naming == Naming::kOption) return name_option(words);
  if (makes && client.naming == Naming::kNever) return {};
  if (command == "up") return {};  // of a composition: it names services
  const std::size_t place = makes && client.naming == Naming::kSecond ? 2 : 1;
  const auto found = positionals(words, place);
  return found.size() < place ? std::string() : found[place - 1];
}

}  // namespace

std::optional<Error> container_client(const std::vector<std::string>& command) {
  std::size_t at = 0;
  while (at < command.size() &&
         (file_name(command[at]) == "sudo" || (at > 0 && command[at].starts_with('-')))) {
    ++at;
  }
  if (at == command.size()) return std::nullopt;
  const auto client = std::find_if(kClients.begin(), kClients.end(), [&](const Client& candidate) {
    return candidate.program == file_name(command[at]);
  });
  if (client == kClients.end()) return std::nullopt;
  // Options of the client itself come before; their values are not told from commands.
  const auto verb = std::find_first_of(command.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                                       command.end(), kCommands.begin(), kCommands.end());
  if (verb == command.end()) return std::nullopt;
  const Words rest(verb + 1, command.end());
  std::string name = container_of(*client, *verb, rest);
  std::vector<std::string> then = command;
  const bool makes = *verb == "run" || *verb == "create";
  if (name.empty() && makes && client->naming == Naming::kOption) {
    name = "recorded";
    const std::array<std::string, 2> option = {"--name", name};
    then.insert(then.begin() + (verb - command.begin()) + 1, option.begin(), option.end());
  }
  if (name.empty()) name = "CONTAINER";
  const bool running = *verb == "exec";
  Error error;
  error.message = format("{} {} starts its processes elsewhere: the container is what to record",
                         client->program, *verb);
  error.hint = format("in one terminal: whittle record --container {}{}; then in another: {}",
                      quoted(name), running ? "" : " --wait", shell(then));
  return error;
}

}  // namespace whittle::cli
