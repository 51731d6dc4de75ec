#include "cli/load_evidence.h"

#include "base/file_system.h"

namespace whittle::cli {

Result<std::vector<evidence::Evidence>> load_evidence(const std::vector<std::string>& paths) {
  std::vector<evidence::Evidence> parts;
  for (const std::string& path : paths) {
    TRY_ASSIGN(const std::string text, read_file(path));
    TRY_ASSIGN(evidence::Evidence part,
               evidence::read(text, path == "-" ? "standard input" : path));
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace whittle::cli
