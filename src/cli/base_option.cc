#include "cli/base_option.h"

#include <string>

#include "cli/load_profile.h"
#include "profile/baseline.h"

namespace whittle::cli {

Result<void> read_base(const Arguments& arguments, generate::Options& options) {
  Arguments without_arch = arguments;
  without_arch.options_.erase("--arch");
  TRY_ASSIGN(profile::Setting setting, setting_of(without_arch));
  if (!arguments.value("--kernel")) setting.kernel = profile::Setting{}.kernel;
  std::string id = arguments.value_or("--base", std::string(profile::default_baseline_id()));
  constexpr std::string_view kPrefix = "baseline:";
  if (id.starts_with(kPrefix)) id.erase(0, kPrefix.size());
  options.base_name = id == kNoBase ? kNoBaseName : id;
  for (const syscalls::Arch arch : options.arches) {
    if (id == kNoBase) {
      options.base.emplace(arch, generate::no_base(arch));
      continue;
    }
    setting.arch = arch;
    TRY_ASSIGN(profile::Profile base, profile::baseline(id, setting));
    options.base.emplace(arch, std::move(base));
  }
  return {};
}

}  // namespace whittle::cli
