// The default profiles of runtimes as data/baselines/*.json has them: every rule of all versions
// once, with the conditions under which it holds. The format is docs/baselines.md.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "profile/baseline.h"
#include "profile/profile.h"

namespace whittle::profile {

struct Version {
  std::array<unsigned, 3> parts{};
  std::size_t given = 0;  // how many of them were written: 29.4 is 2
  auto operator<=>(const Version& other) const { return parts <=> other.parts; }
  bool starts_with(const Version& prefix) const {
    return std::equal(prefix.parts.begin(),
                      prefix.parts.begin() + static_cast<std::ptrdiff_t>(prefix.given),
                      parts.begin());
  }
  std::string text() const { return format("{}.{}.{}", parts[0], parts[1], parts[2]); }
};

// "29.4.3", "v29.4.3", "19.03.0", "29.4", "29"; and as packages write them, with what they put
// behind: "20.10.24+dfsg1", "1.6.20~ds1-1+deb12u3", "18.09.1-ce". A release candidate
// ("29.0.0-rc.1") is none.
std::optional<Version> parse_version(std::string_view text);

struct ConditionalRule {
  Rule rule;
  std::optional<syscalls::Arch> host;
  std::vector<std::string> caps;      // all of them
  std::vector<std::string> not_caps;  // none of them
  std::optional<KernelVersion> kernel;

  bool holds(const Setting& setting, const std::set<std::string>& bounding) const {
    const auto has = [&bounding](const std::string& cap) { return bounding.count(cap) != 0; };
    return (!host || *host == setting.arch) && std::all_of(caps.begin(), caps.end(), has) &&
           std::none_of(not_caps.begin(), not_caps.end(), has) &&
           (!kernel || setting.kernel >= *kernel);
  }
};

struct DefaultProfile {
  Verdict default_verdict;
  std::vector<std::size_t> rules;  // indexes into Runtime::rules
};

// The defaults of one runtime over its versions.
struct Runtime {
  std::string name;
  std::set<std::string> default_caps;
  std::map<syscalls::Arch, std::vector<std::string>> architectures;
  std::vector<ConditionalRule> rules;
  std::vector<DefaultProfile> profiles;
  std::map<Version, std::size_t> versions;  // to an index into profiles
};

// The names of all, sorted.
std::vector<std::string> baseline_runtime_names();
// One of them, read when it is first asked for; nullptr: there is none of that name. What is built
// in cannot be wrong at run time, a unit test reads every version: an error here is a bug, and is
// told as one.
const Result<Runtime>* baseline_runtime(std::string_view name);

}  // namespace whittle::profile
