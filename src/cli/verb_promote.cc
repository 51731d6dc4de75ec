#include <filesystem>
#include <optional>
#include <utility>

#include "base/file_system.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/base_option.h"
#include "cli/load_evidence.h"
#include "cli/load_profile.h"
#include "cli/load_workload.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "filter/compile.h"
#include "generate/additions.h"
#include "trial/promotion.h"

namespace whittle::cli {

namespace {

struct Promotion {
  std::string stage;  // "log", "enforce", "fallback"
  host::Workload workload;
  LoadedProfile profile;
  std::string directory;  // where the variant goes
  double age = 0;         // seconds that log mode must span, for enforce
};

std::string path_of(const Promotion& promotion, const std::string& stage) {
  return promotion.directory + "/" + promotion.workload.name + "." + stage + ".json";
}

Result<Promotion> read_promotion(const Arguments& arguments) {
  const auto stage = arguments.value("--to");
  if (!stage) {
    return input_error("--to is missing", {}, "log first, then enforce; fallback to go back");
  }
  TRY_ASSIGN(host::Workload workload,
             load_workload("verify --profile P", arguments.operands().at(0)));
  TRY_ASSIGN(LoadedProfile profile, load_document(workload.profile, default_setting()));
  Promotion promotion{*stage, std::move(workload), std::move(profile), {}, 0};
  promotion.directory = arguments.value_or("--output", promotion.workload.directory + "/deploy");
  const std::string age = arguments.value_or("--age", "0");
  const auto seconds = parse_duration(age);
  if (!seconds) {
    return input_error(format("--age {}: not a duration", printable(age)), {}, "write it as 7d");
  }
  promotion.age = *seconds;
  if (*stage != "enforce" && (arguments.value("--age") || arguments.value("--evidence"))) {
    return input_error("--age and --evidence are for --to enforce");
  }
  return promotion;
}

Result<trial::LogObservation> observation_of(const Arguments& arguments,
                                             const Promotion& promotion) {
  TRY_ASSIGN(const auto record, trial::load_trial_record(promotion.workload.profile));
  std::vector<evidence::Evidence> deployed;
  if (const auto files = arguments.values("--evidence"); !files.empty()) {
    TRY_ASSIGN(deployed, load_evidence(files));
  }
  TRY_ASSIGN(trial::LogObservation observed,
             trial::log_observation(promotion.profile.profile, sha256(promotion.profile.document),
                                    record, deployed));
  if (observed.from && observed.span() < promotion.age) {
    observed.problems.push_back(
        format("log mode was observed for {:.1f} hours, and {:.1f} are asked for (--age)",
               observed.span() / 3600, promotion.age / 3600));
  }
  return observed;
}

// The document of the stage, compiled before anybody gets it.
Result<std::string> document_of(const Promotion& promotion) {
  if (promotion.stage == "enforce") return promotion.profile.document;
  std::optional<profile::Profile> made;
  if (promotion.stage == "log") {
    TRY_ASSIGN(made, trial::log_variant(promotion.profile.profile));
  } else {
    const std::string& id = promotion.workload.policy.base;
    if (id == kNoBase) {
      return input_error("the workload's policy has no base to fall back to",
                         promotion.workload.path, "name one with policy.base");
    }
    generate::Options options;
    options.arches = {filter::native_arch(promotion.profile.profile)};
    Arguments base;
    if (!id.empty()) base.options_["--base"] = {id};
    TRY(read_base(base, options));
    made = options.base.begin()->second;
  }
  TRY(filter::compile(*made, filter::Flavour::kRunc));
  return profile::write_oci(*made);
}

Result<void> write_stage(const Promotion& promotion, const std::string& path,
                         const std::string& document) {
  std::error_code error;
  std::filesystem::create_directories(promotion.directory, error);
  if (error) {
    return input_error("can't make the directory: " + error.message(), promotion.directory);
  }
  TRY(write_file(path, document));
  if (promotion.stage != "enforce") return {};
  // The same bytes, so what is known of them goes with them.
  TRY_ASSIGN(const auto record, trial::load_trial_record(promotion.workload.profile));
  if (!record) return {};
  return write_file(trial::trial_record_path(path), trial::write_trial_record(*record));
}

struct Step {
  std::string what;
  std::string command;  // or what to look for
};

std::vector<Step> runbook(const Promotion& promotion, const std::string& path) {
  const std::string file = promotion.workload.name + "." + promotion.stage + ".json";
  const std::string& name = promotion.workload.name;
  const auto patch = [&](const std::string& type) {
    return format(
        "kubectl patch deployment {} --type=strategic -p "
        "'{{\"spec\":{{\"template\":{{\"spec\":{{\"securityContext\":{{\"seccompProfile\":{}}}}}}}}"
        "}"
        "}}'",
        name, type);
  };
  std::vector<Step> steps = {
      {"on each node", format("whittle install {} --into {}", path, name)},
      {"in Kubernetes",
       patch(format("{{\"type\":\"Localhost\",\"localhostProfile\":\"{}/{}\"}}", name, file))},
      {"with Docker or Podman", format("docker run --security-opt seccomp={} ...", path)}};
  const std::string& directory = promotion.workload.path;
  if (promotion.stage == "log") {
    steps.push_back({"watch, on each node", "whittle audit --follow"});
    steps.push_back({"record what it does there",
                     format("whittle record --container ID -o {}.log.evidence.json", name)});
    steps.push_back({"then enforce", format("whittle promote {} --to enforce --age 7d --evidence "
                                            "{}.log.evidence.json",
                                            directory, name)});
  } else if (promotion.stage == "enforce") {
    steps.push_back({"watch, on each node", "whittle audit --follow"});
  }
  if (promotion.stage == "fallback") {
    steps.push_back(
        {"or, without a file", patch(R"({"type":"RuntimeDefault","localhostProfile":null})")});
  } else {
    steps.push_back({"go back in one step", format("kubectl rollout undo deployment/{}", name)});
    steps.push_back({"or to the base", format("whittle promote {} --to fallback", directory)});
  }
  return steps;
}

json::Value to_json(const Promotion& promotion, const std::string& written,
                    const std::string& document, const trial::LogObservation& observed,
                    const std::vector<Step>& steps) {
  json::Array runbook;
  for (const Step& step : steps) {
    json::Value item;
    item.set("what", step.what).set("command", step.command);
    runbook.push_back(std::move(item));
  }
  json::Value value;
  value.set("workload", promotion.workload.name).set("to", promotion.stage);
  value.set("promoted", !written.empty());
  value.set("file", written.empty() ? json::Value() : json::Value(written));
  value.set("sha256", written.empty() ? json::Value() : json::Value(sha256(document)));
  value.set("observed_seconds", observed.span()).set("asked_seconds", promotion.age);
  value.set("problems", json::Array(observed.problems.begin(), observed.problems.end()));
  value.set("runbook", std::move(runbook));
  return value;
}

void say(const Promotion& promotion, const trial::LogObservation& observed) {
  if (promotion.stage == "log") {
    print_warning(
        "a profile that logs refuses nothing but what is answered ENOSYS: what the base "
        "stops passes, too, and is logged");
  }
  if (promotion.stage != "enforce") return;
  for (const std::string& problem : observed.problems) print_warning(problem);
  if (promotion.age == 0) {
    print_note(format("log mode was observed for {:.1f} hours; --age 7d asks for more",
                      observed.span() / 3600));
  }
}

Result<int> run_promote(const Arguments& arguments) {
  TRY_ASSIGN(const Promotion promotion, read_promotion(arguments));
  trial::LogObservation observed;
  if (promotion.stage == "enforce") {
    TRY_ASSIGN(observed, observation_of(arguments, promotion));
  }
  TRY_ASSIGN(const std::string document, document_of(promotion));
  const std::string path = path_of(promotion, promotion.stage);
  const bool good = observed.problems.empty();
  std::vector<Step> steps;
  if (good) {
    TRY(write_stage(promotion, path, document));
    steps = runbook(promotion, path);
  } else {
    steps = {
        {"try it in log mode", format("whittle verify {} --mode log", promotion.workload.path)},
        {"add what is missing", format("whittle heal {}", promotion.workload.path)},
        {"or observe it in production",
         format("whittle promote {} --to log", promotion.workload.path)}};
  }
  say(promotion, observed);
  if (arguments.flag("--json")) {
    TRY(print_json(to_json(promotion, good ? path : "", document, observed, steps)));
    return good ? 0 : 1;
  }
  std::string text =
      good ? format("{}  {}\n", bold("written"), printable(path))
           : format("{}  {}: nothing is written\n", bad("not promoted"), promotion.workload.name);
  for (const Step& step : steps) {
    text += format("{}:\n  {}\n", step.what, printable(step.command, 4000));
  }
  TRY(print_result(text));
  return good ? 0 : 1;
}

}  // namespace

const Verb& promote_verb() {
  static const Verb verb = {
      .name = "promote",
      .summary = "take a workload's profile to production: log, then enforce, or back",
      .synopsis = "DIR --to log|enforce|fallback [--age TIME] [-o DIR] [--json]",
      .description =
          "Writes the variant of the workload's profile for one stage into DIR/deploy, or the "
          "directory of -o, and prints how to put it in force, how to watch it, and how to go "
          "back.\n\n"
          "--to log: NAME.log.json refuses nothing but what is answered ENOSYS on purpose, and "
          "has the kernel log every call that the profile would refuse. It is proven to log "
          "exactly those.\n\n"
          "--to enforce: NAME.enforce.json, the profile byte for byte. Not before log mode shows "
          "that nothing would be refused: the last trial of this very profile in log mode "
          "(`whittle verify DIR --mode log`, `whittle heal DIR`) passed, and so did what "
          "--evidence names, recorded where NAME.log.json is in force. --age is how long all of "
          "that must span. Else the exit status is 1 and nothing is written.\n\n"
          "--to fallback: NAME.fallback.json, the base that the profile was made from.",
      .examples = {"whittle promote deploy/web --to log",
                   "whittle promote deploy/web --to enforce --age 7d --evidence "
                   "web.log.evidence.json",
                   "whittle promote deploy/web --to fallback"},
      .options = {{"--to", 0, "STAGE", "log, enforce or fallback", {"log", "enforce", "fallback"}},
                  {"--age", 0, "TIME", "how long log mode must have been observed, as in 7d"},
                  {"--evidence",
                   0,
                   "FILE",
                   "evidence recorded under NAME.log.json in production",
                   {},
                   true},
                  {"--output", 'o', "DIR", "where to write (default: DIR/deploy)"},
                  {"--json", 0, "", "print JSON"}},
      .operand = "DIR",
      .least_operands = 1,
      .most_operands = 1,
      .run = run_promote,
  };
  return verb;
}

}  // namespace whittle::cli
