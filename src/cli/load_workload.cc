#include "cli/load_workload.h"

#include <filesystem>

#include "base/text.h"
#include "record/workload_recording.h"

namespace whittle::cli {

bool is_workload(const std::string& operand) {
  std::error_code error;
  return std::filesystem::is_directory(operand, error) || operand.ends_with(".yaml") ||
         operand.ends_with(".yml");
}

Result<host::Workload> load_workload(const std::string& verb, const std::string& operand) {
  if (!is_workload(operand)) {
    return input_error("is neither a directory with a workload.yaml nor such a file",
                       printable(operand),
                       format("a command goes after --: whittle {} -- CMD...", verb));
  }
  TRY_ASSIGN(host::Workload workload, host::read_workload(operand));
  TRY(record::check_workload(workload));
  return workload;
}

}  // namespace whittle::cli
