#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "cli/load_evidence.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/record_target.h"
#include "cli/verbs_list.h"
#include "cli/watch_report.h"
#include "record/signals.h"
#include "trial/watch.h"

namespace whittle::cli {

namespace {

Result<trial::WatchSpec> read_spec(const Arguments& arguments) {
  trial::WatchSpec spec;
  TRY_ASSIGN(auto target, read_target(arguments));
  if (!target) {
    return input_error("nothing to watch is given", {}, "--container ID, --pid N or --cgroup PATH");
  }
  spec.target = *std::move(target);
  if (const auto path = arguments.value("--profile")) {
    TRY_ASSIGN(spec.profile, load_profile(*path, default_setting()));
  }
  if (const auto paths = arguments.values("--evidence"); !paths.empty()) {
    TRY_ASSIGN(const std::vector<evidence::Evidence> parts, load_evidence(paths));
    spec.evidence = evidence::merge(parts).syscalls();
  }
  if (const auto limit = arguments.value("--for")) {
    spec.time_limit = parse_duration(*limit);
    if (!spec.time_limit || *spec.time_limit <= 0) {
      return input_error("--for " + printable(*limit) + ": not a duration", {}, "write it as 30s");
    }
  }
  return spec;
}

Result<int> run_watch(const Arguments& arguments) {
  TRY_ASSIGN(trial::WatchSpec spec, read_spec(arguments));
  const bool as_json = arguments.flag("--json");
  const bool quiet = arguments.flag("--quiet");
  std::optional<Error> unwritten;
  spec.show = [&](const trial::Sighting& sighting) {
    const std::string time = utc_timestamp();
    const std::string line =
        as_json ? json::dump_compact(sighting_json(sighting, time)) : sighting_text(sighting, time);
    auto written = print_result(line + "\n");
    if (!written) unwritten = std::move(written).error();
    return !unwritten;
  };
  spec.say = [&](const std::string& text) {
    if (!quiet) print_note(text);
  };
  const record::SignalCatcher signals;
  TRY_ASSIGN(const trial::WatchReport report, trial::watch(spec));
  if (unwritten) return tl::unexpected(*std::move(unwritten));
  if (!quiet) print_note(watch_summary(report));
  for (const auto& [kind, count] : report.lost) {
    print_warning(format("incomplete: {} lost of kind \"{}\" (docs/watch.md)", count, kind));
  }
  return report.found() || !report.complete() ? 1 : 0;
}

}  // namespace

const Verb& watch_verb() {
  static const Verb verb = {
      .name = "watch",
      .summary = "tell live what something that runs already is refused, and what it does anew",
      .synopsis =
          "(--container ID [--wait] | --pid N | --cgroup PATH) [--profile P] [--evidence "
          "E] [--for TIME] [--json]",
      .description =
          "Follows a container, a process with its descendants, or a cgroup that runs already, "
          "without restarting, stopping or changing it, and tells each denial as it happens: the "
          "call with its arguments, what the filter answered, who made it and from where, how "
          "often so far, and the rule that would allow it. Repetitions are folded: a call is told "
          "at once, then again at most once a second while its count grows.\n\n"
          "Denials are judged by the filter that is read back from the first process. With "
          "--profile calls that the profile would refuse, though they are made, are told as drift; "
          "with --evidence calls and argument values that the evidence has never seen. A filter "
          "that cannot be read back is taken to be the profile's.\n\n"
          "--wait waits for the container's start, and for each start after that: restarts are "
          "followed. It ends with its target, after --for, or by Ctrl-C, with a summary on "
          "standard error. With --json each line is one object.\n\n"
          "Exit status: 0 when nothing was found, 1 when a denial or a drift was, or when "
          "something "
          "may have been missed (it says what), 2 for a target that there is not, 3 without the "
          "privilege: watching needs root.",
      .examples = {"whittle watch --container web                       # until Ctrl-C",
                   "whittle watch --container web --wait --json > denials.jsonl",
                   "whittle watch --pid \"$(pidof -s redis-server)\" --profile redis.profile.json",
                   "whittle watch --cgroup /system.slice/nginx.service --evidence "
                   "nginx.evidence.json --for 1h"},
      .options = {{"--container", 0, "ID", "watch a container, by its id or name"},
                  {"--wait", 0, "", "with --container: wait for its next start, and all after it"},
                  {"--pid", 0, "N", "watch a process, its threads and its descendants"},
                  {"--cgroup", 0, "PATH", "watch a cgroup and those below it"},
                  {"--profile", 0, "P",
                   "tell what this profile would refuse, too: a file, - or baseline:ID"},
                  {"--evidence",
                   0,
                   "E",
                   "tell what this evidence has never seen, too; may be repeated",
                   {},
                   true},
                  {"--for", 0, "TIME", "end after this time, as in 10m"},
                  {"--json", 0, "", "one JSON object a line"},
                  {"--quiet", 'q', "", "say nothing but warnings and errors beside the lines"}},
      .run = run_watch,
  };
  return verb;
}

}  // namespace whittle::cli
