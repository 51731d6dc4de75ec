#include <algorithm>
#include <filesystem>
#include <map>

#include "base/file_system.h"
#include "base/sha256.h"
#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "deploy/default_profile.h"
#include "deploy/loads.h"
#include "deploy/node_store.h"
#include "deploy/usage.h"
#include "host/containers.h"
#include "host/runtime.h"
#include "trial/trial_record.h"

namespace whittle::cli {

namespace {

using deploy::NodeStore;
using deploy::StoreChange;
using deploy::StoreResult;

// A profile that is to be installed.
struct Candidate {
  std::string p;  // as given
  deploy::StoreItem item;
  profile::Profile profile;
};

// The file name that P gets when none is given: its own, or that of the baseline.
Result<std::string> file_name_of(const std::string& p) {
  constexpr std::string_view kBaseline = "baseline:";
  if (p == "-") return input_error("- needs a name", {}, "add --name NAME.json");
  if (!p.starts_with(kBaseline)) return std::filesystem::path(p).filename().string();
  std::string name = p.substr(kBaseline.size()) + ".json";
  std::replace(name.begin(), name.end(), '/', '-');
  return name;
}

Result<std::vector<Candidate>> read_candidates(const Arguments& arguments) {
  TRY_ASSIGN(const std::vector<std::string> files, profile_files(arguments.operands()));
  const auto name = arguments.value("--name");
  if (name && files.size() != 1) return input_error("--name is for one profile");
  std::string into = arguments.value_or("--into", "");
  while (into.ends_with('/')) into.pop_back();
  std::vector<Candidate> candidates;
  std::map<std::string, std::string> taken;
  for (const std::string& p : files) {
    std::string as;
    if (name) {
      as = *name;
    } else {
      TRY_ASSIGN(as, file_name_of(p));
    }
    if (!into.empty()) as = into + "/" + as;
    TRY(deploy::check_profile_name(as));
    TRY_ASSIGN(LoadedProfile loaded, load_document(p, default_setting()));
    if (const auto [at, fresh] = taken.emplace(as, p); !fresh) {
      return input_error(
          format("{} and {} would both become {}", printable(at->second), printable(p), as), {},
          "install them one by one with --name or --into");
    }
    candidates.push_back({p, {as, std::move(loaded.document)}, std::move(loaded.profile)});
    if (files.size() > 1000 && candidates.size() % 100 == 0) {
      show_progress(format("read {} of {}", candidates.size(), files.size()));
    }
  }
  end_progress();
  return candidates;
}

// Those of which no trial in enforce mode is known that passed: in the record beside the file.
std::vector<std::string> untried(const std::vector<Candidate>& candidates) {
  std::vector<std::string> names;
  for (const Candidate& one : candidates) {
    if (one.p.starts_with("baseline:")) continue;  // a runtime's own default
    const auto record = trial::load_trial_record(one.p);
    if (!record) print_warning("the record of trials is not read: " + record.error().text());
    const trial::RecordedTrial* last =
        record && *record ? (*record)->last(sha256(one.item.content), trial::Mode::kEnforce)
                          : nullptr;
    if (last == nullptr || !last->pass) names.push_back(one.p);
  }
  return names;
}

void warn_of_untried(const std::vector<std::string>& names) {
  constexpr std::size_t kMostNamed = 3;
  if (names.empty()) return;
  const std::vector<std::string> some(
      names.begin(),
      names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMostNamed)));
  print_warning(
      format("no passed trial is known of {}{}: `whittle verify DIR` makes one",
             printable(join(some, ", "), 2000),
             names.size() > kMostNamed ? format(" and {} more", names.size() - kMostNamed) : ""));
}

// The runtimes that are here; both ways of compiling when none is.
struct Runtimes {
  std::vector<filter::Flavour> flavours;
  std::vector<std::string> names;  // "runc 1.1.5"
};

Runtimes runtimes_here() {
  Runtimes here;
  for (const auto& [name, flavour] :
       {std::pair{"runc", filter::Flavour::kRunc}, std::pair{"crun", filter::Flavour::kCrun}}) {
    const auto runtime = host::find_runtime(name);
    if (!runtime) continue;
    here.flavours.push_back(flavour);
    here.names.push_back(format("{} {}", name, runtime->version));
  }
  if (here.flavours.empty()) {
    here.flavours = {filter::Flavour::kRunc, filter::Flavour::kCrun};
    here.names = {"runc and crun, of which neither is here"};
  }
  return here;
}

Result<Runtimes> check(const std::vector<Candidate>& candidates) {
  Runtimes here = runtimes_here();
  // The same document under several names is compiled once.
  std::map<std::string_view, deploy::NamedProfile> distinct;
  for (const Candidate& one : candidates) {
    distinct.emplace(one.item.content, deploy::NamedProfile{one.p, &one.profile});
  }
  std::vector<deploy::NamedProfile> profiles;
  for (const auto& [content, one] : distinct) profiles.push_back(one);
  TRY_ASSIGN(const deploy::LoadReport report, deploy::check_loads(profiles, here.flavours));
  if (!report.skipped.empty()) {
    print_warning(format("libseccomp does not know, and runtimes with the same one skip: {}",
                         join(report.skipped, ", ")));
  }
  return here;
}

json::Value results_json(const std::string& root, const std::vector<StoreResult>& results,
                         bool dry_run) {
  json::Array files;
  for (const StoreResult& result : results) {
    json::Value file;
    file.set("name", result.name);
    file.set("change", deploy::store_change_name(result.change));
    file.set("sha256", result.sha256);
    file.set("foreign", result.foreign);
    files.push_back(std::move(file));
  }
  json::Value value;
  value.set("root", root);
  value.set("dry_run", dry_run);
  value.set("files", std::move(files));
  return value;
}

std::string results_text(const std::string& root, const std::vector<StoreResult>& results,
                         bool dry_run) {
  std::map<StoreChange, std::size_t> counts;
  std::string text;
  for (const StoreResult& result : results) {
    ++counts[result.change];
    if (result.change == StoreChange::kUnchanged && results.size() > 10) continue;
    text += format("{:<9}  {}  {}{}\n", deploy::store_change_name(result.change), result.name,
                   dim(result.sha256.substr(0, 12)),
                   result.foreign ? "  (in place of a file that was not whittle's)" : "");
  }
  std::vector<std::string> parts;
  for (const auto& [change, count] : counts) {
    parts.push_back(format("{} {}", count, deploy::store_change_name(change)));
  }
  return text + format("{}{} in {}\n", dry_run ? "would be: " : "", join(parts, ", "), root);
}

Result<int> show_results(const Arguments& arguments, const std::string& root,
                         const std::vector<StoreResult>& results, json::Value extra = {}) {
  const bool dry_run = arguments.flag("--dry-run");
  if (!arguments.flag("--json")) {
    TRY(print_result(results_text(root, results, dry_run)));
    return 0;
  }
  json::Value value = results_json(root, results, dry_run);
  if (extra.is_object()) {
    for (json::Member& member : *extra.object()) value.set(member.first, std::move(member.second));
  }
  TRY(print_json(value));
  return 0;
}

Result<NodeStore> open_store(const Arguments& arguments, deploy::Create create) {
  return NodeStore::open(arguments.value_or("--root", deploy::kKubeletRoot), create);
}

std::optional<deploy::Engine> engine_of(const Arguments& arguments) {
  const auto engine = arguments.value("--as-default");
  if (!engine) return std::nullopt;
  return *engine == "docker" ? deploy::Engine::kDocker : deploy::Engine::kPodman;
}

Result<void> make_default(deploy::Engine engine, const std::string& profile,
                          const Arguments& arguments) {
  const std::string etc = arguments.value_or("--etc", "/etc");
  const std::string file = deploy::default_profile_file(engine, etc);
  if (arguments.flag("--dry-run")) {
    print_note(format("would set in {}:", file));
    const std::string setting = deploy::default_profile_setting(engine, profile);
    for (const std::string& line : split(trim(setting), '\n')) print_note(line);
    return {};
  }
  TRY_ASSIGN(const bool changed, deploy::set_default_profile(engine, profile, etc));
  print_note(
      format("{}: {} is the default profile{}", file, profile, changed ? "" : ", as before"));
  if (changed && engine == deploy::Engine::kDocker) {
    print_note("dockerd reads it when it starts: systemctl restart docker");
  }
  return {};
}

// What to write where, for those who use the profile.
void say_how_to_use(const std::vector<Candidate>& candidates, const std::string& root) {
  if (candidates.size() != 1) return;
  const std::string& name = candidates[0].item.name;
  print_note(format("in a pod: seccompProfile: {{type: Localhost, localhostProfile: {}}}", name));
  print_note(
      format("with Docker or Podman: --security-opt seccomp={}/{}; for all containers: "
             "--as-default docker|podman",
             root, name));
}

Result<int> install(const Arguments& arguments) {
  if (arguments.operands().empty())
    return input_error("install: which profile?", {}, "whittle install --help");
  TRY_ASSIGN(const std::vector<Candidate> candidates, read_candidates(arguments));
  const auto engine = engine_of(arguments);
  if (engine && candidates.size() != 1) return input_error("--as-default is for one profile");
  TRY_ASSIGN(const Runtimes runtimes, check(candidates));
  const bool dry_run = arguments.flag("--dry-run");
  const std::string root = arguments.value_or("--root", deploy::kKubeletRoot);
  std::vector<deploy::StoreItem> items;
  for (const Candidate& one : candidates) items.push_back(one.item);
  std::vector<StoreResult> results;
  std::error_code error;
  if (dry_run && !std::filesystem::exists(root, error)) {
    for (const auto& item : items) results.push_back({item.name, StoreChange::kNew, {}, false});
  } else {
    TRY_ASSIGN(NodeStore store,
               open_store(arguments, dry_run ? deploy::Create::kNo : deploy::Create::kYes));
    TRY_ASSIGN(results, store.install(items, dry_run));
  }
  if (engine)
    TRY(make_default(*engine, std::filesystem::absolute(root).lexically_normal() / items[0].name,
                     arguments));
  const std::vector<std::string> without_trial = untried(candidates);
  json::Value extra;
  extra.set("compiled_for", json::Array(runtimes.names.begin(), runtimes.names.end()));
  extra.set("without_trial", json::Array(without_trial.begin(), without_trial.end()));
  warn_of_untried(without_trial);
  if (!arguments.flag("--json")) {
    print_note(format("{} compiled for {}", plural(candidates.size(), "profile"),
                      join(runtimes.names, " and ")));
    if (!dry_run && !engine) say_how_to_use(candidates, root);
  }
  return show_results(arguments, root, results, std::move(extra));
}

Result<int> roll_back(const Arguments& arguments) {
  TRY_ASSIGN(NodeStore store, open_store(arguments, deploy::Create::kNo));
  TRY_ASSIGN(const std::vector<StoreResult> results,
             store.roll_back(arguments.operands(), arguments.flag("--dry-run")));
  return show_results(arguments, store.root(), results);
}

// Names of what uses it: containers that run, and the engines whose default it is.
std::vector<std::string> users_of(const deploy::StoredProfile& stored, const std::string& root,
                                  const deploy::ProfileUsage& usage, const std::string& etc) {
  std::vector<std::string> users = usage.users(stored.content);
  std::error_code error;
  for (const auto& [engine, name] : {std::pair{deploy::Engine::kDocker, "Docker's default"},
                                     std::pair{deploy::Engine::kPodman, "Podman's default"}}) {
    const auto set = deploy::default_profile(engine, etc);
    if (set && std::filesystem::equivalent(*set, root + "/" + stored.name, error)) {
      users.emplace_back(name);
    }
  }
  return users;
}

Result<deploy::ProfileUsage> usage_here() {
  TRY_ASSIGN(const host::Cgroups cgroups, host::Cgroups::of_host());
  return deploy::ProfileUsage(host::containers(cgroups));
}

Result<int> prune(const Arguments& arguments) {
  if (!arguments.operands().empty()) return input_error("--prune takes no profiles");
  TRY_ASSIGN(NodeStore store, open_store(arguments, deploy::Create::kNo));
  TRY_ASSIGN(const deploy::ProfileUsage usage, usage_here());
  if (usage.unreadable() != 0) {
    return environment_error(
        format(
            "the profiles of {} that run here can't be read, so that nobody can say what is unused",
            plural(usage.unreadable(), "container")),
        {}, "run it as root");
  }
  TRY_ASSIGN(const std::vector<deploy::StoredProfile> all, store.list());
  std::vector<std::string> names;
  for (const deploy::StoredProfile& stored : all) {
    if (stored.installed.empty()) continue;
    const auto users = users_of(stored, store.root(), usage, arguments.value_or("--etc", "/etc"));
    if (!users.empty()) {
      print_note(format("{}: kept: used by {}", stored.name, printable(join(users, ", "))));
    } else if (stored.altered) {
      print_note(format("{}: kept: somebody changed it since whittle installed it", stored.name));
    } else {
      names.push_back(stored.name);
    }
  }
  TRY_ASSIGN(const std::vector<StoreResult> results,
             store.remove(names, arguments.flag("--dry-run")));
  return show_results(arguments, store.root(), results);
}

std::string_view state_of(const deploy::StoredProfile& stored) {
  return stored.installed.empty() ? "foreign" : stored.altered ? "altered" : "installed";
}

Result<int> list(const Arguments& arguments) {
  if (!arguments.operands().empty()) return input_error("--list takes no profiles");
  TRY_ASSIGN(NodeStore store, open_store(arguments, deploy::Create::kNo));
  TRY_ASSIGN(const deploy::ProfileUsage usage, usage_here());
  TRY_ASSIGN(const std::vector<deploy::StoredProfile> all, store.list());
  json::Array files;
  std::string text;
  for (const deploy::StoredProfile& stored : all) {
    const auto users = users_of(stored, store.root(), usage, arguments.value_or("--etc", "/etc"));
    json::Value file;
    file.set("name", stored.name).set("sha256", stored.sha256).set("state", state_of(stored));
    file.set("installed", stored.installed).set("previous", stored.previous);
    file.set("used_by", json::Array(users.begin(), users.end()));
    files.push_back(std::move(file));
    text += format("{}  {:<9}  {}{}\n", stored.sha256.substr(0, 12), state_of(stored), stored.name,
                   users.empty() ? "" : "  used by " + printable(join(users, ", ")));
  }
  if (usage.unreadable() != 0) {
    print_warning(
        format("{} whose profile can't be read", plural(usage.unreadable(), "container")));
  }
  if (!arguments.flag("--json")) {
    TRY(print_result(text + format("{} in {}\n", plural(all.size(), "profile"), store.root())));
    return 0;
  }
  json::Value value;
  value.set("root", store.root()).set("files", std::move(files));
  TRY(print_json(value));
  return 0;
}

Result<int> run_install(const Arguments& arguments) {
  const bool listing = arguments.flag("--list");
  const bool pruning = arguments.flag("--prune");
  const bool back = arguments.flag("--rollback");
  if (int{listing} + int{pruning} + int{back} > 1) {
    return input_error("--list, --prune and --rollback are three things", {}, "give one");
  }
  if (listing) return list(arguments);
  if (pruning) return prune(arguments);
  if (back) return roll_back(arguments);
  return install(arguments);
}

}  // namespace

const Verb& install_verb() {
  static const Verb verb = {
      .name = "install",
      .summary = "put profiles where this node's runtimes look for them",
      .synopsis = "P... [--root DIR] [--into DIR] [--dry-run] [--json]",
      .description =
          "Compiles each profile as the runtimes that are here would, and then puts its file, byte "
          "for byte, into the directory where the kubelet looks for Localhost profiles, or the one "
          "of --root. P is a file, a directory (its *.json files), baseline:ID, or - with "
          "--name. It says when no trial of these very bytes is known that passed in enforce mode: "
          "`verify` and `heal` write NAME.trial.json beside NAME.profile.json.\n\n"
          "A profile is the old one or the new one, whatever happens half-way: it is written under "
          "another name, brought to the disk, and renamed. Nothing outside the root is written, no "
          "link below it is followed, what is unchanged is not touched. Files get 0644 in "
          "directories of 0755. The version before is kept.\n\n"
          "--rollback brings the previous version back of what is named, or of all that the last "
          "install changed; a second one undoes the first. --list shows what is there, with "
          "hashes, "
          "and which of the containers that run here were started with it. --prune takes away what "
          "whittle installed and nothing uses: no container that runs, and no engine's default.\n\n"
          "--as-default docker sets \"seccomp-profile\" in /etc/docker/daemon.json, --as-default "
          "podman writes /etc/containers/containers.conf.d/50-whittle-seccomp.conf.",
      .examples = {"whittle install nginx.profile.json --into profiles",
                   "whittle install profiles/ --dry-run --json", "whittle install --rollback",
                   "whittle install app.json --root /etc/seccomp --as-default docker"},
      .options = {{"--root", 0, "DIR", "the directory (default: /var/lib/kubelet/seccomp)"},
                  {"--into", 0, "DIR", "a directory below the root, made when it is missing"},
                  {"--name", 0, "NAME", "the name of the file, for one profile"},
                  {"--dry-run", 0, "", "only say what would change"},
                  {"--rollback", 0, "", "go back to the previous version"},
                  {"--prune", 0, "", "take away what whittle installed and nothing uses"},
                  {"--list", 0, "", "show what is there and who uses it"},
                  {"--as-default",
                   0,
                   "ENGINE",
                   "make it the default profile of that engine, too",
                   {"docker", "podman"}},
                  {"--etc", 0, "DIR", "where the settings of engines are (default: /etc)"},
                  {"--json", 0, "", "print JSON"}},
      .operand = "P",
      .least_operands = 0,
      .most_operands = SIZE_MAX,
      .run = run_install,
  };
  return verb;
}

}  // namespace whittle::cli
