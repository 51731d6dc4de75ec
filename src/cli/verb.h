// A verb of the command line as data: its help, its man page, the shell completions and the parser
// are all made from this one description. One file a verb (src/cli/verb_NAME.cc), one table
// (src/cli/verbs.cc).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace whittle::cli {

struct Option {
  std::string name;                       // "--output"
  char letter = 0;                        // 'o' for -o; 0: none
  std::string metavar;                    // "FILE"; empty: a flag
  std::string help;                       // one line, lower case, no full stop
  std::vector<std::string> choices = {};  // the values it takes; empty: any
  bool repeatable = false;
};

// What the user gave, already checked against the verb's description.
class Arguments {
 public:
  bool flag(std::string_view option) const;                         // "--json"
  std::optional<std::string> value(std::string_view option) const;  // the last one given
  std::string value_or(std::string_view option, std::string fallback) const;
  std::vector<std::string> values(std::string_view option) const;         // all that were given
  const std::vector<std::string>& operands() const { return operands_; }  // FILE...
  const std::vector<std::string>& command() const { return command_; }    // what stood after --

  std::map<std::string, std::vector<std::string>, std::less<>> options_;  // filled by the parser
  std::vector<std::string> operands_;
  std::vector<std::string> command_;
};

struct Verb {
  std::string name = {};
  std::string summary = {};      // one line for the overview
  std::string synopsis = {};     // what follows "whittle NAME", "[-o FILE] [OPTION...] -- CMD..."
  std::string description = {};  // paragraphs for --help and the man page
  std::vector<std::string> examples = {};  // "whittle record -- nginx -g 'daemon off;'   # comment"
  std::vector<Option> options = {};
  std::string operand = {};  // metavar of the operands, "EVIDENCE"; empty: none
  std::size_t least_operands = 0;
  std::size_t most_operands = 0;  // SIZE_MAX: any number
  bool takes_command = false;     // CMD... after --
  bool command_optional = false;  // options of the verb can stand for it
  // Returns the exit code (0 good, 1 findings) or the error, which the caller prints.
  Result<int> (*run)(const Arguments&) = nullptr;
};

// All verbs in the order of the overview.
const std::vector<Verb>& verbs();

}  // namespace whittle::cli
