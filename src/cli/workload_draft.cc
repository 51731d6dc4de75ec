#include "cli/workload_draft.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <optional>

#include "base/text.h"
#include "base/yaml.h"

namespace whittle::cli {

namespace {

using record::Discovered;
using record::FoundPort;
using record::StopTry;

// A text of YAML on one line.
std::string scalar(const std::string& text) {
  std::string line = yaml::dump(text);
  line.pop_back();
  return line;
}

std::string duration_text(double seconds) {
  return std::floor(seconds) == seconds ? format("{:.0f}s", seconds)
                                        : format("{:.0f}ms", std::ceil(seconds * 1000));
}

std::string url_of(const FoundPort& port) {
  return format("http://{}/", host::address_text(port.address));
}

// One port alone means localhost.
std::string address_of(const FoundPort& port) {
  const std::string& host = port.address.host;
  const bool local = host == "localhost" || host == "127.0.0.1";
  return local ? format("{}", port.address.port) : host::address_text(port.address);
}

bool answers_well(const FoundPort& port) { return port.status >= 200 && port.status < 400; }

// The status that a check of it expects by itself need not be said.
std::string http_check(const FoundPort& port) {
  return answers_well(port) ? scalar(url_of(port))
                            : format("{{url: {}, status: {}}}", scalar(url_of(port)), port.status);
}

std::string tcp_check(const FoundPort& port) {
  return format("{{address: {}}}", json::quote(address_of(port)));
}

std::string holds_of(const FoundPort& port) {
  return port.status != 0 ? "{http: " + http_check(port) + "}" : "{tcp: " + tcp_check(port) + "}";
}

// A path that a shell takes as it is.
bool is_plain_path(const std::string& path) {
  return std::all_of(path.begin(), path.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+").find(c) != std::string_view::npos;
  });
}

class Draft {
 public:
  Draft(const DraftSpec& spec, const Discovered& found) : spec_(spec), found_(found) {}

  std::string text() {
    head();
    run();
    if (found_.ended) {
      comment(format("It ended by itself after {:.1f} s with {}: it runs to its end each time, and",
                     found_.seconds, found_.ended->text()));
      comment("nothing exercises it. List runs with other arguments as workloads of their own.");
      return text_;
    }
    ready();
    exercises();
    stop();
    return text_;
  }

 private:
  void line(const std::string& text) { text_ += text + "\n"; }
  void comment(const std::string& text) { line("# " + text); }
  void inner(const std::string& text) { line("  # " + text); }

  void head() {
    comment("A first workload.yaml, by `whittle init`, which started the command and watched it.");
    comment("Complete the exercises: a profile allows what they make the workload do, so they are");
    comment("to do all that it does in production. Then: whittle record, generate, verify.");
    line("apiVersion: whittle/v1");
    line("kind: Workload");
    line("name: " + scalar(spec_.name));
  }

  void run() {
    std::vector<std::string> words;
    for (const std::string& word : spec_.command) words.push_back(scalar(word));
    line("run:");
    line("  command: [" + join(words, ", ") + "]");
    inner("Where init was called, from the directory of this file.");
    line("  directory: " + scalar(spec_.directory));
    inner("runtime: runc   # in a container of this machine's directories; needs root");
    if (found_.daemon) {
      inner(
          "The command ends and leaves a daemon behind; signals go to the first of its processes.");
    }
  }

  const FoundPort* best_port() const {
    for (const FoundPort& port : found_.ports) {
      if (answers_well(port)) return &port;
    }
    return found_.ports.empty() ? nullptr : &found_.ports.front();
  }

  void ready() {
    for (const unsigned port : found_.other_ports) {
      comment(format("It listened on {} once, and not at another start: it is left out.", port));
    }
    const FoundPort* port = best_port();
    if (port != nullptr && answers_well(*port)) {
      comment(format("It listened on {} after {:.1f} s and answered GET / with status {}.",
                     address_of(*port), found_.seconds, port->status));
      line(format("ready: {{http: {}}}", scalar(url_of(*port))));
    } else if (port != nullptr) {
      comment(format("It listened on {} after {:.1f} s.", address_of(*port), found_.seconds));
      line(format("ready: {{tcp: {}}}", json::quote(address_of(*port))));
    } else if (const auto path = plain_path()) {
      comment(format("It listened on no port, but on this socket after {:.1f} s.", found_.seconds));
      line(format("ready: {{command: {}}}", json::quote("test -S " + *path)));
    } else {
      comment(format("It was still running after {} and listened nowhere, so it counts as ready",
                     duration_text(spec_.watch)));
      comment("at once. Say here what tells that it is: {log: \"a line of its output\"}, or");
      comment("{command: ...}. If it ends by itself, leave out exercises and stop.");
    }
  }

  std::optional<std::string> plain_path() const {
    for (const std::string& path : found_.paths) {
      if (is_plain_path(path)) return path;
    }
    return std::nullopt;
  }

  void exercises() {
    line("exercises:");
    for (const FoundPort& port : found_.ports) {
      if (port.status != 0) {
        http_exercise(port);
      } else {
        tcp_exercise(port);
      }
    }
    if (found_.ports.empty()) {
      inner("Nothing is known of what it does: commands that make it do that go here, as in");
      inner("- {name: query, command: [client, --query], repeat: 10}");
      line("  - {name: idle, wait: 2s}");
    }
    reload_exercise();
  }

  void http_exercise(const FoundPort& port) {
    inner(format("GET / was answered with status {}. Add the pages, methods and bodies that are",
                 port.status));
    inner("asked for in production, each an exercise of its own.");
    if (port.status == 400)
      inner("If it speaks TLS, exercise it by a command: curl -k https://...");
    line(format("  - name: http-{}", port.address.port));
    line("    http: " + http_check(port));
    line("    repeat: 10");
  }

  void tcp_exercise(const FoundPort& port) {
    inner(format("GET / was not answered by HTTP: {}.", printable(port.answer, 80)));
    inner(
        "This only connects. Say what it is sent and what is to come, as in {send: "
        "\"PING\\r\\n\",");
    inner("expect: PONG}, or use its own client: command: [client, ARGUMENT...]");
    line(format("  - name: tcp-{}", port.address.port));
    line("    tcp: " + tcp_check(port));
  }

  void reload_exercise() {
    if (found_.reload != Discovered::Reload::kSurvived) {
      inner(format("No reload: {}.", printable(found_.reload_text, 100)));
      return;
    }
    inner("SIGHUP has a handler, and it went on after it: a reload, most likely.");
    line("  - name: reload");
    line("    signal: HUP");
    const FoundPort* port = best_port();
    if (port != nullptr) line("    holds: " + holds_of(*port));
  }

  void stop() {
    for (const StopTry& one : found_.stops) {
      const std::string what = one.ended
                                   ? format("{} after {:.1f} s", one.status.text(), one.seconds)
                                   : "still running after " + duration_text(spec_.limit);
      comment(format("{}: {}.", signal_name(one.signal), what));
    }
    if (found_.stop_signal == SIGKILL) {
      comment(
          "None of them ends it well, which is with status 0 or by that signal. By KILL its own");
      comment("shutdown is not recorded: say what ends it.");
    }
    line(format("stop: {{signal: {}, limit: {}}}", signal_name(found_.stop_signal).substr(3),
                duration_text(spec_.limit)));
  }

  const DraftSpec& spec_;
  const Discovered& found_;
  std::string text_;
};

}  // namespace

std::string workload_draft(const DraftSpec& spec, const Discovered& found) {
  return Draft(spec, found).text();
}

json::Value discovered_json(const DraftSpec& spec, const Discovered& found) {
  json::Value root;
  root.set("name", spec.name);
  root.set("starts", found.starts);
  root.set("ended", found.ended ? json::Value(found.ended->shell_code()) : json::Value());
  root.set("seconds", found.seconds);
  root.set("daemon", found.daemon);
  json::Value ports = json::Array();
  for (const FoundPort& port : found.ports) {
    json::Value one;
    one.set("address", host::address_text(port.address));
    one.set("port", unsigned{port.address.port});
    one.set("http", port.status != 0 ? json::Value(port.status) : json::Value());
    ports.push(std::move(one));
  }
  root.set("ports", std::move(ports));
  json::Value paths = json::Array();
  for (const std::string& path : found.paths) paths.push(path);
  root.set("sockets", std::move(paths));
  json::Value stops = json::Array();
  for (const StopTry& one : found.stops) {
    json::Value entry;
    entry.set("signal", signal_name(one.signal));
    entry.set("status", one.ended ? json::Value(one.status.shell_code()) : json::Value());
    entry.set("seconds", one.seconds);
    stops.push(std::move(entry));
  }
  root.set("stops", std::move(stops));
  root.set("stop", found.ended ? json::Value() : json::Value(signal_name(found.stop_signal)));
  root.set("reload", found.reload == Discovered::Reload::kSurvived);
  return root;
}

std::string draft_name(const std::string& program) {
  std::string name;
  for (char c : program.substr(program.rfind('/') + 1).substr(0, 64)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    name += good ? c : '-';
  }
  constexpr std::array<std::string_view, 4> kReserved = {"startup", "ready", "stop", "runtime"};
  const bool usable =
      !name.empty() && std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end();
  return usable ? name : "workload";
}

}  // namespace whittle::cli
