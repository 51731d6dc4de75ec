#include "host/workload.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "base/file_system.h"
#include "base/process.h"
#include "base/text.h"
#include "base/yaml.h"
#include "host/address.h"

namespace whittle::host {

namespace {

using json::View;
using Keys = std::vector<std::string>;

constexpr json::Limits kLimits = {1U << 20U, 16, 20'000};
constexpr std::string_view kFileName = "workload.yaml";
constexpr double kMostSeconds = 7 * 24 * 3600;
constexpr std::size_t kMostExercises = 27;  // the recorder tells 30 phases apart

Result<std::string> text_or(const View& object, std::string_view key, std::string fallback = {}) {
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return fallback;
  return found->string();
}

Result<bool> flag_or(const View& object, std::string_view key, bool fallback) {
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return fallback;
  return found->boolean();
}

Result<unsigned> number_or(const View& object, std::string_view key, unsigned fallback,
                           unsigned most) {
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return fallback;
  TRY_ASSIGN(const std::uint64_t number, found->u64(most));
  return static_cast<unsigned>(number);
}

// "30s", or a plain number of seconds.
Result<double> seconds(const View& view) {
  std::optional<double> value = view.value().number();
  if (const std::string* text = view.value().string()) value = parse_duration(*text);
  if (value && *value >= 0 && *value <= kMostSeconds) return *value;
  return view.error("a duration is expected here", "write it as 500ms, 10s, 2m or 1h");
}

Result<double> seconds_or(const View& object, std::string_view key, double fallback) {
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return fallback;
  return seconds(*found);
}

Result<Keys> texts(const View& view) {
  TRY_ASSIGN(const auto items, view.items());
  Keys all;
  for (const View& item : items) {
    TRY_ASSIGN(std::string text, item.string());
    all.push_back(std::move(text));
  }
  return all;
}

Result<Keys> texts_or_none(const View& object, std::string_view key) {
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return Keys();
  return texts(*found);
}

// A list of words as they are, or one text for a shell.
Result<Keys> command_of(const View& view) {
  if (const std::string* line = view.value().string()) {
    if (trim(*line).empty()) return view.error("the command is empty");
    return Keys{"sh", "-c", *line};
  }
  TRY_ASSIGN(Keys words, texts(view));
  if (words.empty() || words[0].empty()) return view.error("the command is empty");
  return words;
}

Result<std::vector<std::pair<std::string, std::string>>> pairs_of(const View& object,
                                                                  std::string_view key) {
  std::vector<std::pair<std::string, std::string>> pairs;
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return pairs;
  TRY_ASSIGN(const auto members, found->members());
  for (const auto& [name, view] : members) {
    TRY_ASSIGN(std::string value, view.string());
    pairs.emplace_back(name, std::move(value));
  }
  return pairs;
}

Result<int> signal_of(const View& view) {
  std::string name;
  if (const auto number = view.value().u64()) {
    name = format("{}", *number);
  } else {
    TRY_ASSIGN(name, view.string());
  }
  const auto signal = signal_from_name(name);
  if (!signal) return view.error(format("no signal is called \"{}\"", printable(name)));
  return *signal;
}

// Relative to the directory of the file.
std::string path_from(const std::string& directory, const std::string& path) {
  return (std::filesystem::path(directory) / path).lexically_normal().string();
}

// "1000", "1000:1000", or the number itself.
Result<void> read_user(const View& view, WorkloadRun& run) {
  std::string text;
  if (const auto number = view.value().u64()) {
    text = format("{}", *number);
  } else {
    TRY_ASSIGN(text, view.string());
  }
  const std::vector<std::string> parts = split(text, ':');
  const auto uid = parse_u64(parts[0]);
  const auto gid = parts.size() > 1 ? parse_u64(parts[1]) : uid;
  if (!uid || !gid || parts.size() > 2 || *uid >= UINT32_MAX || *gid >= UINT32_MAX) {
    return view.error(format("\"{}\" is no user", printable(text)),
                      "write UID or UID:GID in numbers: names differ between host and container");
  }
  run.uid = static_cast<std::uint32_t>(*uid);
  run.gid = static_cast<std::uint32_t>(*gid);
  return {};
}

Result<void> check_run(const View& object, const WorkloadRun& run) {
  if (!run.runtime.empty() && run.runtime != "runc" && run.runtime != "crun") {
    return object.error(format("unknown runtime \"{}\"", printable(run.runtime)),
                        "runc, crun or none");
  }
  if (!run.rootfs.empty() && !run.bundle.empty()) {
    return object.error("\"rootfs\" and \"bundle\" exclude each other",
                        "a bundle has its own root file system");
  }
  if ((!run.rootfs.empty() || !run.bundle.empty()) && run.runtime.empty()) {
    return object.error("a container needs a runtime", "add runtime: runc, or crun");
  }
  if (run.command.empty() && run.bundle.empty()) {
    return object.error("nothing is said of what to run", "add command: [PROGRAM, ARGUMENT...]");
  }
  if (!run.command.empty() && !run.bundle.empty()) {
    return object.error("\"command\" and \"bundle\" exclude each other",
                        "the bundle's config.json has the command");
  }
  return {};
}

Result<WorkloadRun> read_run(const View& object, const std::string& directory) {
  static const Keys kKeys = {"command", "directory", "env",     "user",
                             "rootfs",  "bundle",    "runtime", "noNewPrivileges"};
  TRY(object.only(kKeys));
  WorkloadRun run;
  TRY_ASSIGN(const auto command, object.find("command"));
  if (command) {
    TRY_ASSIGN(run.command, command_of(*command));
  }
  TRY_ASSIGN(run.directory, text_or(object, "directory"));
  TRY_ASSIGN(run.environment, pairs_of(object, "env"));
  TRY_ASSIGN(const auto user, object.find("user"));
  if (user) TRY(read_user(*user, run));
  TRY_ASSIGN(run.rootfs, text_or(object, "rootfs"));
  TRY_ASSIGN(run.bundle, text_or(object, "bundle"));
  TRY_ASSIGN(run.runtime, text_or(object, "runtime"));
  if (run.runtime == "none") run.runtime.clear();
  TRY_ASSIGN(run.no_new_privileges, flag_or(object, "noNewPrivileges", true));
  TRY(check_run(object, run));
  const bool container = !run.rootfs.empty() || !run.bundle.empty();
  for (std::string* path : {&run.rootfs, &run.bundle}) {
    if (!path->empty()) *path = path_from(directory, *path);
  }
  // In a container it is a path of the container.
  if (!run.directory.empty() && !container) run.directory = path_from(directory, run.directory);
  return run;
}

Result<void> read_ready(const View& object, Workload& workload) {
  static const Keys kKeys = {"http", "tcp", "log", "command", "limit"};
  TRY(object.only(kKeys));
  for (const auto& [key, prefix] : {std::pair("http", ""), std::pair("tcp", "tcp:"),
                                    std::pair("log", "log:"), std::pair("command", "exec:")}) {
    TRY_ASSIGN(const auto found, object.find(key));
    if (!found) continue;
    if (!workload.ready.empty()) {
      return found->error("one way to be ready is enough: http, tcp, log or command");
    }
    std::string text;
    if (const auto port = found->value().u64()) {
      text = format("{}", *port);
    } else {
      TRY_ASSIGN(text, found->string());
    }
    workload.ready = prefix + text;
  }
  TRY_ASSIGN(workload.ready_limit, seconds_or(object, "limit", workload.ready_limit));
  if (workload.ready.empty()) return object.error("one of http, tcp, log or command is missing");
  return {};
}

const Keys& http_keys() {
  static const Keys kKeys = {"url", "method", "body", "headers", "status", "contains", "keepAlive"};
  return kKeys;
}

// Nothing of it may end a line of the request.
Result<void> check_request(const View& view, const WorkloadCheck& check) {
  const bool method =
      !check.method.empty() && check.method.size() <= 32 &&
      check.method.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == std::string::npos;
  if (!method) {
    return view.error(format("\"{}\" is no HTTP method", printable(check.method)),
                      "write it in capitals, as GET or POST");
  }
  for (const auto& [name, value] : check.headers) {
    const bool good = !name.empty() && name.find_first_of(" :\t\r\n") == std::string::npos &&
                      value.find_first_of("\r\n") == std::string::npos;
    if (!good) return view.error(format("\"{}\" is no HTTP header", printable(name)));
    if (name == "Host" || name == "Connection" || name == "Content-Length") {
      return view.error(format("the header \"{}\" is set by whittle", name),
                        "the URL, keepAlive and body say what is in it");
    }
  }
  return {};
}

Result<WorkloadCheck> read_http(const View& view) {
  WorkloadCheck check;
  check.kind = WorkloadCheck::Kind::kHttp;
  if (const std::string* url = view.value().string()) {
    check.url = *url;
  } else {
    TRY(view.only(http_keys()));
    TRY_ASSIGN(const View url_view, view.at("url"));
    TRY_ASSIGN(check.url, url_view.string());
    TRY_ASSIGN(check.method, text_or(view, "method", "GET"));
    TRY_ASSIGN(check.body, text_or(view, "body"));
    TRY_ASSIGN(check.headers, pairs_of(view, "headers"));
    TRY_ASSIGN(check.status, number_or(view, "status", 0, 999));
    TRY_ASSIGN(check.contains, text_or(view, "contains"));
    TRY_ASSIGN(check.keep_alive, flag_or(view, "keepAlive", false));
  }
  HttpUrl url;
  if (const std::string wrong = parse_http_url(check.url, url); !wrong.empty()) {
    return view.error(format("\"{}\" is not usable as a URL: {}", printable(check.url), wrong),
                      "write http://ADDRESS[:PORT]/PATH with a numeric address or localhost; for "
                      "https use a command, such as curl");
  }
  TRY(check_request(view, check));
  return check;
}

Result<WorkloadCheck> read_tcp(const View& view) {
  static const Keys kKeys = {"address", "send", "expect"};
  TRY(view.only(kKeys));
  WorkloadCheck check;
  check.kind = WorkloadCheck::Kind::kTcp;
  TRY_ASSIGN(const View address, view.at("address"));
  TRY_ASSIGN(check.address, address.string());
  Address parsed;
  if (const std::string wrong = parse_address(check.address, true, parsed); !wrong.empty()) {
    return address.error(format("\"{}\": {}", printable(check.address), wrong),
                         "write [HOST:]PORT with a numeric address or localhost");
  }
  TRY_ASSIGN(check.send, text_or(view, "send"));
  TRY_ASSIGN(check.expect, text_or(view, "expect"));
  return check;
}

// The check that stands in `object` under "command", "http" or "tcp"; nullopt: none does.
Result<std::optional<WorkloadCheck>> read_check(const View& object) {
  std::optional<WorkloadCheck> check;
  TRY_ASSIGN(const auto command, object.find("command"));
  if (command) {
    check.emplace();
    TRY_ASSIGN(check->command, command_of(*command));
  }
  TRY_ASSIGN(const auto http, object.find("http"));
  TRY_ASSIGN(const auto tcp, object.find("tcp"));
  if ((command && http) || (command && tcp) || (http && tcp)) {
    return object.error("one of command, http and tcp is enough");
  }
  if (http) {
    TRY_ASSIGN(check, read_http(*http));
  }
  if (tcp) {
    TRY_ASSIGN(check, read_tcp(*tcp));
  }
  return check;
}

Result<std::vector<WorkloadCheck>> read_holds(const View& object) {
  static const Keys kKeys = {"command", "http", "tcp"};
  std::vector<WorkloadCheck> holds;
  TRY_ASSIGN(const auto found, object.find("holds"));
  if (!found) return holds;
  std::vector<View> items = {*found};
  if (found->value().is_array()) {
    TRY_ASSIGN(items, found->items());
  }
  for (const View& item : items) {
    TRY(item.only(kKeys));
    TRY_ASSIGN(auto check, read_check(item));
    if (!check) return item.error("one of command, http or tcp is missing");
    holds.push_back(*std::move(check));
  }
  return holds;
}

Result<std::string> read_name(const View& object) {
  TRY_ASSIGN(const View view, object.at("name"));
  TRY_ASSIGN(std::string name, view.string());
  const bool good =
      !name.empty() && name.size() <= 64 &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  if (!good) {
    return view.error(format("\"{}\" is no name", printable(name)),
                      "names are 1 to 64 of a-z, 0-9, _ and -: they are phases of the evidence");
  }
  for (const char* reserved : {"startup", "ready", "stop", "runtime"}) {
    if (name == reserved) return view.error(format("\"{}\" is a phase of its own", name));
  }
  return name;
}

Result<void> read_kind(const View& object, Exercise& exercise) {
  TRY_ASSIGN(auto check, read_check(object));
  TRY_ASSIGN(const auto signal, object.find("signal"));
  TRY_ASSIGN(const auto wait, object.find("wait"));
  if ((check ? 1 : 0) + (signal ? 1 : 0) + (wait ? 1 : 0) != 1) {
    return object.error("one of command, http, tcp, signal and wait says what the exercise does");
  }
  if (check) {
    exercise.check = *std::move(check);
  } else if (signal) {
    exercise.kind = Exercise::Kind::kSignal;
    TRY_ASSIGN(exercise.signal, signal_of(*signal));
  } else {
    exercise.kind = Exercise::Kind::kWait;
    TRY_ASSIGN(exercise.wait, seconds(*wait));
  }
  return {};
}

Result<Exercise> read_exercise(const View& object) {
  static const Keys kKeys = {"name", "command",    "http",        "tcp",   "signal",
                             "wait", "repeat",     "concurrency", "limit", "rate",
                             "for",  "background", "holds"};
  TRY(object.only(kKeys));
  Exercise exercise;
  exercise.line = object.value().line();
  TRY_ASSIGN(exercise.name, read_name(object));
  TRY(read_kind(object, exercise));
  TRY_ASSIGN(exercise.repeat, number_or(object, "repeat", 1, 10'000'000));
  TRY_ASSIGN(exercise.concurrency, number_or(object, "concurrency", 1, 256));
  TRY_ASSIGN(const auto rate, object.find("rate"));
  if (rate) {
    TRY_ASSIGN(exercise.rate, rate->number());
    if (!(*exercise.rate > 0)) return rate->error("a rate is a number a second, above 0");
  }
  TRY_ASSIGN(const auto length, object.find("for"));
  if (length) {
    TRY_ASSIGN(exercise.length, seconds(*length));
    if (object.value().find("repeat") != nullptr) {
      return length->error("\"for\" and \"repeat\" exclude each other");
    }
  }
  if (exercise.repeat == 0 || exercise.concurrency == 0) {
    return object.error("\"repeat\" and \"concurrency\" are 1 or more");
  }
  const double enough = 60 + exercise.wait + exercise.length.value_or(0);
  TRY_ASSIGN(exercise.limit, seconds_or(object, "limit", enough));
  TRY_ASSIGN(exercise.background, flag_or(object, "background", false));
  TRY_ASSIGN(exercise.holds, read_holds(object));
  return exercise;
}

Result<std::vector<Exercise>> read_exercises(const View& root) {
  std::vector<Exercise> exercises;
  TRY_ASSIGN(const auto found, root.find("exercises"));
  if (!found) return exercises;
  TRY_ASSIGN(const auto items, found->items());
  if (items.size() > kMostExercises) {
    return found->error(format("more than {} exercises", kMostExercises));
  }
  std::set<std::string> names;
  for (const View& item : items) {
    TRY_ASSIGN(Exercise exercise, read_exercise(item));
    if (!names.insert(exercise.name).second) {
      return item.error(format("a second exercise is called \"{}\"", exercise.name));
    }
    exercises.push_back(std::move(exercise));
  }
  return exercises;
}

Result<void> read_stop(const View& object, Workload& workload) {
  static const Keys kKeys = {"signal", "limit"};
  TRY(object.only(kKeys));
  TRY_ASSIGN(const auto signal, object.find("signal"));
  if (signal) {
    TRY_ASSIGN(workload.stop_signal, signal_of(*signal));
  }
  TRY_ASSIGN(workload.stop_limit, seconds_or(object, "limit", workload.stop_limit));
  return {};
}

// A text that is one of a few, or missing.
Result<std::string> choice_or_none(const View& object, std::string_view key, const Keys& choices) {
  TRY_ASSIGN(const auto found, object.find(key));
  if (!found) return std::string();
  TRY_ASSIGN(std::string text, found->string());
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return text;
  return found->error(format("\"{}\" is not known here", printable(text)),
                      "one of " + join(choices, ", "));
}

Result<WorkloadPolicy> read_policy(const View& object) {
  static const Keys kKeys = {"base",     "architectures", "defaultAction", "arguments",
                             "headroom", "allow",         "deny"};
  TRY(object.only(kKeys));
  WorkloadPolicy policy;
  TRY_ASSIGN(policy.base, text_or(object, "base"));
  TRY_ASSIGN(policy.architectures, texts_or_none(object, "architectures"));
  TRY_ASSIGN(policy.default_action,
             choice_or_none(object, "defaultAction", {"errno", "kill", "log"}));
  TRY_ASSIGN(policy.arguments, choice_or_none(object, "arguments", {"base", "safe", "all"}));
  TRY_ASSIGN(policy.headroom, choice_or_none(object, "headroom", {"none", "siblings"}));
  TRY_ASSIGN(policy.allow, texts_or_none(object, "allow"));
  if (!policy.allow.empty()) {
    for (const json::Value& name : *object.value().find("allow")->array()) {
      policy.allow_lines.push_back(name.line());
    }
  }
  TRY_ASSIGN(policy.deny, texts_or_none(object, "deny"));
  return policy;
}

Result<void> check_header(const View& root) {
  static const Keys kKeys = {"apiVersion", "kind",    "name",     "run",    "ready", "exercises",
                             "stop",       "profile", "evidence", "policy", "budget"};
  for (const auto& [key, expected] :
       {std::pair("apiVersion", "whittle/v1"), std::pair("kind", "Workload")}) {
    TRY_ASSIGN(const View view, root.at(key));
    TRY_ASSIGN(const std::string text, view.string());
    if (text != expected) {
      return view.error(format("\"{}\" is expected here, not \"{}\"", expected, printable(text)));
    }
  }
  return root.only(kKeys);
}

WorkloadLines lines_of(const json::Value& document) {
  const auto line = [&document](std::string_view key) {
    const json::Value* value = document.find(key);
    return value == nullptr ? 0 : value->line();
  };
  return {line("name"), line("run"), line("ready"), line("stop")};
}

}  // namespace

std::uint32_t line_of_phase(const Workload& workload, std::string_view phase) {
  for (const Exercise& exercise : workload.exercises) {
    if (exercise.name == phase) return exercise.line;
  }
  const WorkloadLines& lines = workload.lines;
  if (phase == "ready" && lines.ready != 0) return lines.ready;
  if (phase == "stop" && lines.stop != 0) return lines.stop;
  for (const char* of_run : {"startup", "runtime", "run", "ready", "stop"}) {
    if (phase == of_run && lines.run != 0) return lines.run;
  }
  return lines.name;
}

Result<Workload> parse_workload(std::string_view text, const std::string& path) {
  TRY_ASSIGN(const json::Value document, yaml::parse(text, path, kLimits));
  const View root(document, path);
  TRY(check_header(root));
  Workload workload;
  workload.path = path;
  std::error_code unknown;
  workload.directory =
      std::filesystem::absolute(path, unknown).parent_path().lexically_normal().string();
  TRY_ASSIGN(workload.name, read_name(root));
  TRY_ASSIGN(const View run, root.at("run"));
  TRY_ASSIGN(workload.run, read_run(run, workload.directory));
  TRY_ASSIGN(const auto ready, root.find("ready"));
  if (ready) TRY(read_ready(*ready, workload));
  TRY_ASSIGN(workload.exercises, read_exercises(root));
  TRY_ASSIGN(const auto stop, root.find("stop"));
  if (stop) TRY(read_stop(*stop, workload));
  TRY_ASSIGN(const std::string profile, text_or(root, "profile", workload.name + ".profile.json"));
  TRY_ASSIGN(const std::string evidence,
             text_or(root, "evidence", workload.name + ".evidence.json"));
  workload.profile = path_from(workload.directory, profile);
  workload.evidence = path_from(workload.directory, evidence);
  TRY_ASSIGN(const auto policy, root.find("policy"));
  if (policy) {
    TRY_ASSIGN(workload.policy, read_policy(*policy));
  }
  TRY_ASSIGN(const auto budget, root.find("budget"));
  if (budget) {
    TRY_ASSIGN(workload.budget, read_budget_keys(*budget, workload.directory));
  }
  workload.lines = lines_of(document);
  return workload;
}

Result<Workload> read_workload(const std::string& path) {
  std::string file = path;
  struct stat info = {};
  if (::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    file = (std::filesystem::path(path) / kFileName).string();
  }
  Result<std::string> text = read_file(file, kLimits.bytes);
  if (!text) {
    text.error().hint = "`whittle init -- CMD` writes a first workload.yaml";
    return tl::unexpected(std::move(text).error());
  }
  return parse_workload(*text, file);
}

}  // namespace whittle::host
