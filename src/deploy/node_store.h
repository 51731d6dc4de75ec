// The directory of a node in which runtimes look for profiles: /var/lib/kubelet/seccomp for a
// kubelet (its --seccomp-default directory, where `localhostProfile: a/b.json` is looked up), or
// any other.
//
//   ROOT/nginx.json                   a profile, 0644
//   ROOT/.whittle/installed.json      what whittle put there: schema whittle.installed/v1
//   ROOT/.whittle/previous/nginx.json what it replaced, for roll_back()
//   ROOT/.whittle/lock                flock(2): one changes the store at a time
//
// Each profile is the old one, the new one, or absent, whatever stops us half-way. Several are
// first all written under temporary names, so that a full disk changes nothing. What an interrupted
// run left is put in order by the next one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/directory.h"
#include "deploy/store_records.h"

namespace whittle::deploy {

inline constexpr const char* kKubeletRoot = "/var/lib/kubelet/seccomp";

// A name that a profile may have below the root: components of [A-Za-z0-9._+@=-] parted by '/',
// none beginning with '.', each at most 200 bytes. Errors: kind input, with the reason.
Result<void> check_profile_name(std::string_view name);

struct StoreItem {
  std::string name;     // "nginx.json", "team/nginx.json"
  std::string content;  // the document, byte for byte
};

enum class StoreChange : std::uint8_t {
  kNew,
  kReplaced,
  kMode,       // the same bytes, whose permissions were wrong
  kUnchanged,  // not touched
  kRemoved,
  kRestored,  // the previous version is back
};
std::string_view store_change_name(StoreChange change);

struct StoreResult {
  std::string name;
  StoreChange change = StoreChange::kUnchanged;
  std::string sha256;    // of what is there now; empty: nothing
  bool foreign = false;  // what was replaced had not been put there by whittle
};

// A file that is in the store.
struct StoredProfile {
  std::string name;
  std::string sha256;
  std::string content;
  std::string installed;  // when, RFC 3339; empty: not by whittle
  bool altered = false;   // by whittle, but changed by somebody since
  bool previous = false;  // roll_back() has a version to go back to
};

class NodeStore {
 public:
  // Makes the directories that are missing with kYes. Takes no lock yet.
  static Result<NodeStore> open(const std::string& root, Create create);

  // Puts them in place. With `dry_run` only says what would change. Names must be different.
  // Errors: a name that is a link, a directory or a device; what the disk says. Those that were in
  // place before an error stay, whole.
  Result<std::vector<StoreResult>> install(std::span<const StoreItem> items, bool dry_run);
  // Exchanges each with its previous version, so that a second call undoes the first: those named,
  // or with none named what the last install() changed. What was new then is taken away, and kept
  // as the previous version.
  Result<std::vector<StoreResult>> roll_back(std::span<const std::string> names, bool dry_run);
  // Takes away what whittle installed, the previous versions with it.
  Result<std::vector<StoreResult>> remove(std::span<const std::string> names, bool dry_run);
  // Everything that is in it, sorted; files over 64 MiB and what is no regular file are left out.
  Result<std::vector<StoredProfile>> list() const;

  const std::string& root() const { return root_.path(); }

 private:
  struct Planned;
  explicit NodeStore(Directory root) : root_(std::move(root)) {}

  Result<UniqueFd> lock() const;
  Result<Directory> own() const;
  Result<StoreRecords> read_records() const;
  Result<void> write_records(const StoreRecords& records) const;
  Result<Planned> plan(const StoreItem& item, const StoreRecords& records) const;
  Result<void> write_temporaries(std::vector<Planned>& planned) const;
  Result<void> put_all(std::vector<Planned>& planned, StoreRecords& records) const;
  void clean(const std::vector<Planned>& planned) const;
  Result<StoreResult> roll_back_one(const std::string& name, bool dry_run) const;

  Directory root_;
};

}  // namespace whittle::deploy
