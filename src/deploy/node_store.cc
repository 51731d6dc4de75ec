#include "deploy/node_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/sha256.h"
#include "base/text.h"

namespace whittle::deploy {

namespace {

constexpr const char* kOwn = ".whittle";
constexpr const char* kPrevious = ".whittle/previous";
constexpr const char* kRecords = "installed.json";
constexpr std::size_t kMostProfileBytes = 64U << 20U;
constexpr std::size_t kMostComponent =
    200;  // NAME_MAX less the prefix of a temporary file, and some
constexpr std::size_t kMostName = 1000;
constexpr int kMostDepth = 8;
// Files that wait for the disk together, each with a descriptor open.
constexpr std::size_t kBatch = 200;

std::string_view directory_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

std::string base_of(std::string_view name) { return std::string(name.substr(name.rfind('/') + 1)); }

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("._+@=-").find(c) != std::string_view::npos;
}

std::string previous_directory(std::string_view name) {
  return format("{}/{}", kPrevious, directory_of(name));
}

}  // namespace

std::string_view store_change_name(StoreChange change) {
  switch (change) {
    case StoreChange::kNew:
      return "new";
    case StoreChange::kReplaced:
      return "replaced";
    case StoreChange::kMode:
      return "mode";
    case StoreChange::kUnchanged:
      return "unchanged";
    case StoreChange::kRemoved:
      return "removed";
    case StoreChange::kRestored:
      return "restored";
  }
  return "";
}

Result<void> check_profile_name(std::string_view name) {
  const auto wrong = [name](const std::string& why) {
    return input_error(
        format("\"{}\" can't be the name of a profile: {}", printable(name, 80), why), {},
        "name it with letters, digits and ._+@=-, as in nginx.json");
  };
  if (name.size() > kMostName) return wrong(format("it is longer than {} bytes", kMostName));
  for (const std::string& part : split(name, '/')) {
    if (part.empty()) return wrong("it is empty, or a part of it is");
    if (part == "." || part == "..") return wrong("it leads out of its directory");
    if (part.front() == '.') return wrong("hidden files are not profiles");
    if (part.size() > kMostComponent)
      return wrong(format("it is longer than {} bytes", kMostComponent));
    if (!std::all_of(part.begin(), part.end(), is_name_character)) {
      return wrong("it has a character that a name in a pod's manifest should not have");
    }
  }
  return {};
}

// One item, on its way.
struct NodeStore::Planned {
  const StoreItem* item = nullptr;
  StoreResult result;
  bool existed = false;
  std::optional<Directory> directory;  // not there in a dry run that would make it
  std::string temporary;

  bool writes() const {
    return result.change == StoreChange::kNew || result.change == StoreChange::kReplaced;
  }
};

Result<NodeStore> NodeStore::open(const std::string& root, Create create) {
  TRY_ASSIGN(Directory directory, Directory::open(root, create));
  return NodeStore(std::move(directory));
}

Result<Directory> NodeStore::own() const {
  TRY_ASSIGN(auto directory, root_.below(kOwn, Create::kYes));
  return *std::move(directory);
}

Result<UniqueFd> NodeStore::lock() const {
  TRY_ASSIGN(const Directory directory, own());
  UniqueFd fd(::openat(directory.fd(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) {
    return errno_error(ErrorKind::kEnvironment, "cannot lock the store", errno, root());
  }
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) {
      return errno_error(ErrorKind::kEnvironment, "cannot lock the store", errno, root());
    }
  }
  return fd;
}

Result<StoreRecords> NodeStore::read_records() const {
  TRY_ASSIGN(const auto directory, root_.below(kOwn, Create::kNo));
  if (!directory) return StoreRecords();
  TRY_ASSIGN(const auto text, directory->read(kRecords, kMostProfileBytes));
  if (!text) return StoreRecords();
  auto records = parse_store_records(*text, directory->path() + "/" + kRecords);
  if (!records) {
    records.error().hint =
        "it is not as whittle writes it; take it away, and whittle forgets which profiles are its "
        "own";
  }
  return records;
}

Result<void> NodeStore::write_records(const StoreRecords& records) const {
  TRY_ASSIGN(const Directory directory, own());
  return directory.write(kRecords, write_store_records(records));
}

Result<NodeStore::Planned> NodeStore::plan(const StoreItem& item,
                                           const StoreRecords& records) const {
  TRY(check_profile_name(item.name));
  Planned planned;
  planned.item = &item;
  planned.result = {item.name, StoreChange::kNew, sha256(item.content), false};
  TRY_ASSIGN(planned.directory, root_.below(directory_of(item.name), Create::kNo));
  if (!planned.directory) return planned;
  const std::string base = base_of(item.name);
  TRY_ASSIGN(const auto entry, planned.directory->entry(base));
  if (!entry) return planned;
  if (!entry->regular) {
    return input_error("a link, a directory or a device is in the place of the profile",
                       planned.directory->path() + "/" + base,
                       "take it away, or give the profile another name");
  }
  planned.existed = true;
  const auto record = records.files.find(item.name);
  planned.result.foreign = record == records.files.end() || record->second.foreign;
  TRY_ASSIGN(const auto content, planned.directory->read(base, kMostProfileBytes));
  if (content != item.content) {
    planned.result.change = StoreChange::kReplaced;
  } else {
    planned.result.foreign = false;
    planned.result.change = entry->mode == kFileMode ? StoreChange::kUnchanged : StoreChange::kMode;
  }
  return planned;
}

// In batches: one wait for the file system, then fsync of each, which finds little left to do.
Result<void> NodeStore::write_temporaries(std::vector<Planned>& planned) const {
  std::vector<std::pair<Planned*, Directory::Temporary>> batch;
  const auto flush = [&]() -> Result<void> {
    if (batch.size() > 1) ::syncfs(root_.fd());
    for (auto& [one, temporary] : batch) TRY(one->directory->flush(temporary));
    batch.clear();
    return {};
  };
  for (Planned& one : planned) {
    if (!one.writes()) continue;
    if (!one.directory) {
      TRY_ASSIGN(one.directory, root_.below(directory_of(one.item->name), Create::kYes));
    }
    TRY_ASSIGN(Directory::Temporary temporary, one.directory->write_temporary(one.item->content));
    one.temporary = temporary.name;
    batch.emplace_back(&one, std::move(temporary));
    if (batch.size() == kBatch) TRY(flush());
  }
  return flush();
}

Result<void> NodeStore::put_all(std::vector<Planned>& planned, StoreRecords& records) const {
  std::map<std::string, Directory> changed;  // to be synced, by path
  std::map<std::string, Directory> previous;
  const std::string now = utc_timestamp();
  const auto put = [&](Planned& one) -> Result<void> {
    const std::string base = base_of(one.item->name);
    if (one.result.change == StoreChange::kMode) {
      return one.directory->set_mode(base, kFileMode);
    }
    if (!one.writes()) return {};
    const std::string place = previous_directory(one.item->name);
    if (!previous.contains(place)) {
      TRY_ASSIGN(auto made, root_.below(place, Create::kYes));
      previous.emplace(place, *std::move(made));
    }
    const Directory& old = previous.at(place);
    if (one.existed) {
      TRY(one.directory->link(base, old, base));
    } else {
      TRY(old.remove(base));
    }
    return one.directory->put({one.temporary, UniqueFd()}, base);
  };
  Result<void> outcome;
  for (Planned& one : planned) {
    outcome = put(one);
    if (!outcome) break;
    StoreRecord& record = records.files[one.item->name];
    if (one.writes()) {
      const bool foreign = one.result.foreign;
      record = {one.result.sha256, now, records.generation, false, foreign};
    } else if (record.installed.empty() ||
               record.foreign) {  // it is there already, and ours from now on
      record = {one.result.sha256, now, 0, false, false};
    }
  }
  for (const auto& [path, directory] : previous) TRY(directory.sync());
  std::set<std::string> synced;
  for (const Planned& one : planned) {
    if (one.writes() && one.directory && synced.insert(one.directory->path()).second) {
      TRY(one.directory->sync());
    }
  }
  return outcome;
}

// Temporary files of this run or of one that was interrupted.
void NodeStore::clean(const std::vector<Planned>& planned) const {
  std::set<std::string> cleaned;
  for (const Planned& one : planned) {
    if (one.directory && cleaned.insert(one.directory->path()).second) {
      (void)one.directory->remove_temporaries();
      const auto previous = root_.below(previous_directory(one.item->name), Create::kNo);
      if (previous && *previous) (void)(*previous)->remove_temporaries();
    }
  }
  const auto directory = own();
  if (directory) (void)directory->remove_temporaries();
}

Result<std::vector<StoreResult>> NodeStore::install(std::span<const StoreItem> items,
                                                    bool dry_run) {
  UniqueFd held;
  if (!dry_run) {
    TRY_ASSIGN(held, lock());
  }
  TRY_ASSIGN(StoreRecords records, read_records());
  std::vector<Planned> planned;
  for (const StoreItem& item : items) {
    TRY_ASSIGN(Planned one, plan(item, records));
    planned.push_back(std::move(one));
  }
  const auto results = [&planned] {
    std::vector<StoreResult> all;
    for (const Planned& one : planned) all.push_back(one.result);
    return all;
  };
  if (dry_run) return results();
  clean(planned);
  const std::string before = write_store_records(records);
  if (std::any_of(planned.begin(), planned.end(), [](const Planned& p) { return p.writes(); })) {
    ++records.generation;
  }
  auto outcome = write_temporaries(planned);
  if (outcome) {
    outcome = put_all(planned, records);
    if (write_store_records(records) != before) {
      auto written = write_records(records);
      if (outcome) outcome = std::move(written);
    }
  }
  if (!outcome) {
    clean(planned);
    return tl::unexpected(outcome.error());
  }
  return results();
}

Result<StoreResult> NodeStore::roll_back_one(const std::string& name, bool dry_run) const {
  const std::string base = base_of(name);
  TRY_ASSIGN(const auto directory, root_.below(directory_of(name), Create::kNo));
  TRY_ASSIGN(const auto previous,
             root_.below(previous_directory(name), dry_run ? Create::kNo : Create::kYes));
  const auto content_in =
      [&](const std::optional<Directory>& where) -> Result<std::optional<std::string>> {
    if (!where) return std::optional<std::string>();
    return where->read(base, kMostProfileBytes);
  };
  TRY_ASSIGN(const auto old, content_in(previous));
  TRY_ASSIGN(const auto current, content_in(directory));
  StoreResult result{name, StoreChange::kRestored, old ? sha256(*old) : "", false};
  if (!old) result.change = StoreChange::kRemoved;
  if (!directory || (!old && !current)) {
    return input_error("there is no version to go back to", root() + "/" + name);
  }
  if (dry_run) return result;
  if (old && current) {
    TRY(directory->exchange(base, *previous, base));
  } else if (old) {
    TRY(previous->rename(base, *directory, base));
  } else {
    TRY(directory->rename(base, *previous, base));
  }
  TRY(directory->sync());
  TRY(previous->sync());
  return result;
}

Result<std::vector<StoreResult>> NodeStore::roll_back(std::span<const std::string> names,
                                                      bool dry_run) {
  UniqueFd held;
  if (!dry_run) {
    TRY_ASSIGN(held, lock());
  }
  TRY_ASSIGN(StoreRecords records, read_records());
  std::vector<std::string> wanted(names.begin(), names.end());
  if (wanted.empty()) {
    for (const auto& [name, record] : records.files) {
      if (record.generation == records.generation && records.generation != 0)
        wanted.push_back(name);
    }
    if (wanted.empty()) {
      return input_error("whittle has installed nothing here that could be rolled back", root());
    }
  }
  for (const std::string& name : wanted) {
    TRY(check_profile_name(name));
    if (!records.files.contains(name)) {
      return input_error("whittle has not installed this", root() + "/" + name,
                         "whittle install --list shows what is there");
    }
  }
  std::vector<StoreResult> results;
  Result<void> outcome;
  for (const std::string& name : wanted) {
    auto one = roll_back_one(name, dry_run);
    if (!one) {
      outcome = tl::unexpected(one.error());
      break;
    }
    StoreRecord& record = records.files.at(name);
    record.sha256 = one->sha256;
    std::swap(record.foreign, record.foreign_previous);
    record.installed = utc_timestamp();
    results.push_back(*std::move(one));
  }
  if (!dry_run) TRY(write_records(records));
  if (!outcome) return tl::unexpected(outcome.error());
  return results;
}

Result<std::vector<StoreResult>> NodeStore::remove(std::span<const std::string> names,
                                                   bool dry_run) {
  UniqueFd held;
  if (!dry_run) {
    TRY_ASSIGN(held, lock());
  }
  TRY_ASSIGN(StoreRecords records, read_records());
  std::vector<StoreResult> results;
  for (const std::string& name : names) {
    if (!records.files.contains(name)) {
      return input_error("whittle has not installed this", root() + "/" + printable(name));
    }
    results.push_back({name, StoreChange::kRemoved, "", false});
    if (dry_run) continue;
    for (const std::string& place : {std::string(directory_of(name)), previous_directory(name)}) {
      TRY_ASSIGN(const auto directory, root_.below(place, Create::kNo));
      if (!directory) continue;
      TRY(directory->remove(base_of(name)));
      TRY(directory->sync());
    }
    records.files.erase(name);
  }
  if (!dry_run) TRY(write_records(records));
  return results;
}

Result<std::vector<StoredProfile>> NodeStore::list() const {
  TRY_ASSIGN(const StoreRecords records, read_records());
  std::vector<StoredProfile> all;
  const auto walk = [&](const auto& self, const std::string& relative, int depth) -> Result<void> {
    TRY_ASSIGN(const auto directory, root_.below(relative, Create::kNo));
    if (!directory) return {};
    TRY_ASSIGN(const auto names, directory->names());
    for (const std::string& base : names) {
      if (base.front() == '.') continue;
      const std::string name = relative.empty() ? base : relative + "/" + base;
      TRY_ASSIGN(const auto entry, directory->entry(base));
      if (!entry) continue;
      if (entry->directory && depth < kMostDepth) TRY(self(self, name, depth + 1));
      if (!entry->regular) continue;
      const auto content = directory->read(base, kMostProfileBytes);
      if (!content || !*content) continue;
      StoredProfile stored{name, sha256(**content), **content, {}, false, false};
      if (const auto found = records.files.find(name); found != records.files.end()) {
        if (!found->second.foreign) stored.installed = found->second.installed;
        stored.altered = found->second.sha256 != stored.sha256;
        const auto previous = root_.below(previous_directory(name), Create::kNo);
        if (previous && *previous) {
          const auto old = (*previous)->entry(base);
          stored.previous = old && *old && (*old)->regular;
        }
      }
      all.push_back(std::move(stored));
    }
    return {};
  };
  TRY(walk(walk, {}, 0));
  return all;
}

}  // namespace whittle::deploy
