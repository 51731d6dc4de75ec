// Any bytes as a profile in any form. What reads well is written in every other form, without an
// error, and reads again as what it was to mean.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "profile/convert.h"
#include "profile/document.h"
#include "syscalls/table.h"

namespace {

using namespace whittle::profile;

void require(bool holds) {
  if (!holds) std::abort();
}

// What runtimes make of it: a rule equal to the default counts for nothing.
Verdict verdict(const Profile& profile, const std::string& name,
                const std::array<std::uint64_t, 6>& args) {
  Profile::Parts parts = profile.parts();
  std::erase_if(parts.rules,
                [&parts](const Rule& rule) { return rule.verdict == parts.default_verdict; });
  return documented_verdict(Profile(parts), whittle::syscalls::host_arch(), name, args);
}

void check(const Document& document, Target target) {
  ConvertSettings settings;
  settings.name = "fuzz";
  settings.setting.arch = whittle::syscalls::native_of(whittle::syscalls::host_arch());
  const auto made = convert(document, target, settings);
  require(made.has_value());
  ReadOptions options;
  options.setting = settings.setting;
  options.dialect = Dialect::kDocker;
  const auto again = read_any(made->text, "written", options);
  require(again.has_value());
  std::set<std::string> names = {"read", "brk"};
  for (const Profile* each : {&document.profile, &again->profile}) {
    for (const Rule& rule : each->rules()) {
      names.insert(rule.names.front());
      if (names.size() > 100) break;
    }
  }
  constexpr std::array<std::array<std::uint64_t, 6>, 3> kArguments = {
      {{}, {1, 2, 3, 4, 5, 6}, {UINT64_MAX, 1ULL << 63U, 8, 0, 1, 2}}};
  for (const std::string& name : names) {
    for (const auto& args : kArguments) {
      const Verdict wanted = verdict(made->meant, name, args);
      require(verdict(again->profile, name, args) == wanted);
      if (made->lost.empty()) {
        require(verdict(document.profile, name, args) == wanted);
      } else if (wanted.allows() && whittle::syscalls::is_known(name)) {
        require(verdict(document.profile, name, args).allows());
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadOptions options;
  options.dialect = Dialect::kDocker;
  options.setting.arch = whittle::syscalls::native_of(whittle::syscalls::host_arch());
  const auto document = read_any(text, "input", options);
  if (!document) {
    require(document.error().kind == whittle::ErrorKind::kInput);
    require(!document.error().message.empty() && !document.error().place.empty());
    return 0;
  }
  for (const Target target : {Target::kOci, Target::kDocker, Target::kPodman, Target::kSpoV1Beta1,
                              Target::kSpoV1, Target::kSystemd}) {
    check(*document, target);
  }
  return 0;
}
