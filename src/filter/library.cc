#include "filter/library.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/embedded.h"
#include "base/text.h"
#include "filter/libseccomp.h"
#include "syscalls/table.h"
#include "syscalls/tsv.h"

WHITTLE_EMBEDDED(libseccomp_names_tsv)

namespace whittle::filter {

namespace {

using Version = std::array<std::uint64_t, 3>;

// The releases whose names data/libseccomp-names.tsv tells apart: from the first to the last.
constexpr std::string_view kFirstRelease = "2.4.2";
constexpr std::string_view kLastRelease = "2.6.1";

struct Choice {
  Library library;
  std::set<std::string, std::less<>> unknown;  // kFile: names of our table that it does not know
};

Choice& choice() {
  static Choice chosen = [] {
    const std::string version = own_libseccomp(-1)->version();
    return Choice{{Library::Source::kOwn, {}, version, version}, {}};
  }();
  return chosen;
}

// "2.6", "2.6.1".
std::optional<Version> read_version(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  Version version{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool digits =
        !parts[i].empty() && parts[i].find_first_not_of("0123456789") == std::string::npos;
    const auto number = digits ? parse_u64(parts[i]) : std::nullopt;
    if (!number) return std::nullopt;
    version[i] = *number;
  }
  return version;
}

Result<Choice> of_version(const Version& version) {
  const auto refused = [&version](std::string_view nearest_release) {
    return input_error(format("--libseccomp: nothing is known of libseccomp {}.{}.{}", version[0],
                              version[1], version[2]),
                       {},
                       format("the nearest known release is {}; or give the shared library itself",
                              nearest_release));
  };
  if (version < *read_version(kFirstRelease)) return refused(kFirstRelease);
  if (version > *read_version(kLastRelease)) return refused(kLastRelease);
  return Choice{{Library::Source::kDocumented,
                 {},
                 format("{}.{}.{}", version[0], version[1], version[2]),
                 own_libseccomp(-1)->version()},
                {}};
}

Result<Choice> of_file(const std::string& given) {
  std::error_code error;
  const auto path = std::filesystem::canonical(given, error);
  if (error) {
    return input_error(
        "--libseccomp: can't find it: " + error.message(), printable(given),
        "give a shared library, as in /usr/lib/.../libseccomp.so.2, or a release, as "
        "in 2.6.1");
  }
  TRY_ASSIGN(const auto library, libseccomp_of(path.native(), -1));
  const std::string version = library->version();
  Choice choice{{Library::Source::kFile, path.native(), version, version}, {}};
  for (const std::string& name : syscalls::known_names()) {
    if (!library->syscall_resolve_name(name)) choice.unknown.insert(name);
  }
  if (library->ended()) return input_error("--libseccomp: it crashes", printable(given));
  return choice;
}

// Whether the release knows a name, as far as its table goes.
bool known_to_release(const std::string& name, const std::string& release) {
  const auto at = new_names().find(name);
  if (at == new_names().end()) return true;
  const auto since = read_version(at->second.libseccomp);
  return since && *since <= *read_version(release);
}

}  // namespace

const std::map<std::string_view, NewName>& new_names() {
  static const std::map<std::string_view, NewName> kNames = [] {
    std::map<std::string_view, NewName> read;
    for (const auto& row : syscalls::tsv_rows(embedded_libseccomp_names_tsv())) {
      read[row[0]] = {row[1], row[2]};
    }
    return read;
  }();
  return kNames;
}

Result<void> use_libseccomp(const std::string& file_or_version) {
  if (const auto version = read_version(file_or_version)) {
    TRY_ASSIGN(choice(), of_version(*version));
  } else {
    TRY_ASSIGN(choice(), of_file(file_or_version));
  }
  return {};
}

const Library& libseccomp() { return choice().library; }

bool libseccomp_knows(const std::string& name) {
  switch (libseccomp().source) {
    case Library::Source::kOwn:
      return own_libseccomp(-1)->syscall_resolve_name(name).has_value();
    case Library::Source::kFile:
      return syscalls::is_known(name) && !choice().unknown.contains(name);
    case Library::Source::kDocumented:
      return syscalls::is_known(name) && known_to_release(name, libseccomp().version);
  }
  return false;
}

bool newer_by_document() {
  return libseccomp().source == Library::Source::kDocumented &&
         *read_version(libseccomp().version) > *read_version(libseccomp().runs);
}

bool known_by_document_only(const std::string& name) {
  return newer_by_document() && libseccomp_knows(name) &&
         !own_libseccomp(-1)->syscall_resolve_name(name);
}

}  // namespace whittle::filter
