#include "base/yaml_layout.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "base/text.h"

namespace whittle::yaml {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// What stops yaml-cpp in the middle of a document; it does not leave this file.
struct Stop {
  std::string message;
  int line;
};

class LayoutBuilder : public YAML::EventHandler {
 public:
  LayoutBuilder(const json::Limits& limits, std::size_t before)
      : limits_(limits), before_(before) {}

  std::vector<LayoutNode> take() { return std::move(roots_); }

  void OnDocumentStart(const YAML::Mark&) override { root_ = LayoutNode(); }
  void OnDocumentEnd() override { roots_.push_back(std::move(root_)); }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    attach(make(mark, LayoutNode::Kind::kNull, anchor, "?"));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    attach(make(mark, LayoutNode::Kind::kAlias, 0, "?"));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    LayoutNode node = make(mark, LayoutNode::Kind::kScalar, anchor, tag);
    node.text = text;
    attach(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(make(mark,
              style == YAML::EmitterStyle::Flow ? LayoutNode::Kind::kFlowList
                                                : LayoutNode::Kind::kBlockList,
              anchor, tag));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(make(mark,
              style == YAML::EmitterStyle::Flow ? LayoutNode::Kind::kFlowMap
                                                : LayoutNode::Kind::kBlockMap,
              anchor, tag));
  }
  void OnMapEnd() override { close(); }

 private:
  LayoutNode make(const YAML::Mark& mark, LayoutNode::Kind kind, YAML::anchor_t anchor,
                  std::string_view tag) {
    if (++nodes_ > limits_.values) throw Stop{"more values than the limit", mark.line};
    LayoutNode node;
    node.kind = kind;
    node.offset = before_ + static_cast<std::size_t>(mark.pos);
    node.line = static_cast<std::uint32_t>(mark.line + 1);
    node.column = static_cast<std::uint32_t>(mark.column);
    // yaml-cpp gives quoted scalars the tag "!", plain ones "?", and containers none or "?".
    const bool tagged =
        !tag.empty() && tag != "?" && !(kind == LayoutNode::Kind::kScalar && tag == "!");
    node.decorated = anchor != 0 || tagged;
    return node;
  }

  void open(LayoutNode node) {
    if (open_.size() >= limits_.depth) {
      throw Stop{format("nested deeper than {} levels", limits_.depth),
                 static_cast<int>(node.line) - 1};
    }
    open_.push_back(std::move(node));
  }

  void close() {
    LayoutNode node = std::move(open_.back());
    open_.pop_back();
    attach(std::move(node));
  }

  void attach(LayoutNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    LayoutNode& parent = open_.back();
    const bool key = parent.is_map() && parent.keys.size() == parent.values.size();
    (key ? parent.keys : parent.values).push_back(std::move(node));
  }

  const json::Limits& limits_;
  std::size_t before_;  // bytes of the text that yaml-cpp does not count
  std::vector<LayoutNode> open_;
  std::vector<LayoutNode> roots_;
  LayoutNode root_;
  std::size_t nodes_ = 0;
};

}  // namespace

Result<std::vector<LayoutNode>> layout(std::string_view text, std::string_view place,
                                       const json::Limits& limits) {
  if (text.size() > limits.bytes) {
    return input_error(format("larger than {} MiB", limits.bytes >> 20U), std::string(place));
  }
  LayoutBuilder builder(limits, text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const Stop& stop) {
    return input_error(stop.message, format("{}:{}", place, stop.line + 1));
  } catch (const YAML::Exception& error) {
    return input_error("not valid YAML: " + printable(error.msg),
                       format("{}:{}", place, error.mark.line + 1));
  }
  return builder.take();
}

}  // namespace whittle::yaml
