// A first workload.yaml of what was found out about a command, with the reason for each line.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "record/discover.h"

namespace whittle::cli {

struct DraftSpec {
  std::string name;                  // as the reader of workload.yaml takes it
  std::vector<std::string> command;  // as it is to stand there
  std::string directory;             // where it starts, relative to the file or absolute
  double watch = 10;                 // as in record::DiscoverSpec
  double limit = 10;
};

// The text of the file. REQUIRES: the command is UTF-8; it went on, or ended with success.
std::string workload_draft(const DraftSpec& spec, const record::Discovered& found);

// For programs: what was found.
json::Value discovered_json(const DraftSpec& spec, const record::Discovered& found);

// A name for the workload of that program, "python3.11" is "python3-11"; never a reserved one.
std::string draft_name(const std::string& program);

}  // namespace whittle::cli
