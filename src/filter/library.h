// Which libseccomp compiles: one for the whole process.
//
// Unless the user says another it is the one that is part of whittle. Another build is run itself;
// of another version only what is documented is answered: which names it knows (data/
// libseccomp-names.tsv). How it merges the rules of a call that libseccomp is known to merge
// wrongly is not (compiled_as_written() of handed.h says which those are).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace whittle::filter {

struct Library {
  enum class Source { kOwn, kFile, kDocumented };
  Source source = Source::kOwn;
  std::string file;     // kFile
  std::string version;  // of what is asked about, "2.6.1"
  std::string runs;     // of what compiles: the same, but for kDocumented
};

// A shared library, which is given with a '/', or a release such as 2.6.1. REQUIRES: nothing was
// compiled before, and no other thread runs. Errors: no such file, no libseccomp, a release of
// which nothing is known (with the nearest).
Result<void> use_libseccomp(const std::string& file_or_version);

const Library& libseccomp();
// Whether it knows a call of that name.
bool libseccomp_knows(const std::string& name);
// kDocumented, and newer than what compiles.
bool newer_by_document();
// It is that, knows the name, and what compiles does not.
bool known_by_document_only(const std::string& name);

// When a name that is newer than Linux 5.0 came; rows of data/libseccomp-names.tsv.
struct NewName {
  std::string_view linux_version;
  std::string_view libseccomp;  // the first release that knows it
};
const std::map<std::string_view, NewName>& new_names();

}  // namespace whittle::filter
