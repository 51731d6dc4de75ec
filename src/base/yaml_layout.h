// Where the nodes of a YAML text stand in it, for whoever edits the text and is to leave the rest
// as it is. The values are base/yaml.h's affair.
//
//   TRY_ASSIGN(const auto roots, yaml::layout(text, "web.yaml"));
//   text.substr(roots[0].values[2].offset)   // begins with the third member of the first document
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace whittle::yaml {

struct LayoutNode {
  enum class Kind : std::uint8_t {
    kNull,  // nothing, or ~ or null; only of the latter two `offset` is exact
    kAlias,
    kScalar,
    kBlockMap,
    kFlowMap,
    kBlockList,
    kFlowList,
  };
  Kind kind = Kind::kNull;
  std::size_t offset = 0;          // of the first byte; of a block map its first key
  std::uint32_t line = 0;          // counted from 1
  std::uint32_t column = 0;        // counted from 0, in bytes
  bool decorated = false;          // an anchor or a tag stands in front, and `offset` is that of it
  std::string text;                // of a scalar: its value
  std::vector<LayoutNode> keys;    // of a map, with its merge keys
  std::vector<LayoutNode> values;  // of a map, as many as keys; of a list

  bool is_map() const { return kind == Kind::kBlockMap || kind == Kind::kFlowMap; }
  bool is_list() const { return kind == Kind::kBlockList || kind == Kind::kFlowList; }
};

// The root of each document; those that parse_all() takes are taken, in the same order.
Result<std::vector<LayoutNode>> layout(std::string_view text, std::string_view place,
                                       const json::Limits& limits = {});

}  // namespace whittle::yaml
