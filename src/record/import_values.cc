#include "record/import_values.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "base/errno_name.h"
#include "base/text.h"
#include "record/import_sink.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostParts = 16;
constexpr int kMostDepth = 64;
constexpr std::size_t kMostTerms = 128;
constexpr std::size_t kLongestValue = 1024;  // also bounds how deep htons(htons(... can go

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Decimal, 0x, and octal with its leading 0; a sign in front.
std::optional<std::uint64_t> read_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::optional<std::uint64_t> number;
  if (text.size() > 1 && text[0] == '0' && text[1] != 'x') {
    std::uint64_t octal = 0;
    for (const char c : text) {
      if (c < '0' || c > '7' || octal >> 61U != 0) return std::nullopt;
      octal = octal * 8 + static_cast<std::uint64_t>(c - '0');
    }
    number = octal;
  } else {
    number = parse_u64(text);
  }
  if (number && negative) *number = ~*number + 1;
  return number;
}

// SIGRTMIN and SIGRT_N, as strace counts them: from the kernel's first one, 32.
std::optional<std::uint64_t> realtime_signal(std::string_view symbol) {
  if (symbol == "SIGRTMIN") return 32;
  if (!symbol.starts_with("SIGRT_")) return std::nullopt;
  const auto number = parse_u64(symbol.substr(6));
  if (!number || *number > 32) return std::nullopt;
  return 32 + *number;
}

std::optional<std::uint64_t> read_symbol(std::string_view symbol, std::string_view prefix) {
  if (symbol == "NULL") return 0;
  if (!prefix.empty()) {
    if (const auto value = syscalls::constant(std::string(prefix) + std::string(symbol))) {
      return value;
    }
  }
  if (const auto value = syscalls::constant(symbol)) return value;
  return realtime_signal(symbol);
}

// The bits of an ioctl command (include/uapi/asm-generic/ioctl.h).
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> kDirections = {
    {{"_IOC_NONE", 0}, {"_IOC_WRITE", 1}, {"_IOC_READ", 2}, {"_IOC_READ|_IOC_WRITE", 3}}};

std::optional<std::uint64_t> read_ioctl(std::string_view inside) {
  const ArgumentList list = split_arguments(inside);
  if (list.parts.size() != 4) return std::nullopt;
  const auto* const direction =
      std::find_if(kDirections.begin(), kDirections.end(),
                   [&](const auto& entry) { return entry.first == list.parts[0]; });
  const auto type = read_number(list.parts[1]);
  const auto number = read_number(list.parts[2]);
  const auto size = read_number(list.parts[3]);
  if (direction == kDirections.end() || !type || !number || !size) return std::nullopt;
  if (*type > 0xff || *number > 0xff || *size > 0x3fff) return std::nullopt;
  return direction->second << 30U | *size << 16U | *type << 8U | *number;
}

std::optional<std::uint64_t> read_term(std::string_view term, std::string_view prefix) {
  if (term.empty()) return std::nullopt;
  if (std::isdigit(static_cast<unsigned char>(term[0])) != 0 || term[0] == '-') {
    const std::size_t shift = term.find("<<");
    if (shift == std::string_view::npos) return read_number(term);
    const auto value = read_number(trim(term.substr(0, shift)));
    const auto by = read_term(trim(term.substr(shift + 2)), {});
    if (!value || !by || *by > 63) return std::nullopt;
    return *value << *by;
  }
  if (term.starts_with("_IOC(")) return read_ioctl(term.substr(5));
  if (term.starts_with("htons(") && term.ends_with(')')) {
    const auto value = read_value(term.substr(6, term.size() - 7));
    if (!value || *value > 0xffff) return std::nullopt;
    return (*value & 0xffU) << 8U | *value >> 8U;
  }
  return read_symbol(term, prefix);
}

// The text without its comment: "0x3 /* PROT_??? */" is 0x3.
std::string_view without_comment(std::string_view text) {
  return trim(text.substr(0, text.find("/*")));
}

// What stands at one place of an argument list, besides plain characters.
class ListScanner {
 public:
  explicit ListScanner(std::string_view text) : text_(text) {}

  ArgumentList scan() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (skip_whole()) continue;
      if (c == '(' || c == '[' || c == '{') ++depth_;
      if (c == ')' || c == ']' || c == '}') {
        if (depth_ == 0) {
          take();
          if (c == ')') list_.end = at_ + 1;
          return std::move(list_);
        }
        --depth_;
      }
      if (depth_ > kMostDepth) return std::move(list_);
      if (c == ',' && depth_ == 0) {
        take();
        begin_ = at_ + 1;
      }
      ++at_;
    }
    take();
    return std::move(list_);
  }

 private:
  void take() {
    const std::string_view part = trim(text_.substr(begin_, at_ - begin_));
    if (part.empty() && list_.parts.empty() && text_.substr(at_, 1) != ",") return;
    if (list_.parts.size() < kMostParts) list_.parts.push_back(part);
  }

  // A string, a comment or the path of a file descriptor, as a whole.
  bool skip_whole() {
    const std::string_view rest = text_.substr(at_);
    if (rest[0] == '"') return skip_string();
    if (rest.starts_with("/*")) return skip_to(rest.find("*/", 2), 2);
    if (rest[0] == '<' && at_ > begin_ && is_word_character(text_[at_ - 1]) &&
        !rest.starts_with("<<")) {
      return skip_path();
    }
    return false;
  }

  bool skip_to(std::size_t found, std::size_t length) {
    if (found == std::string_view::npos) return false;
    at_ += found + length;
    return true;
  }

  bool skip_string() {
    for (std::size_t i = at_ + 1; i < text_.size(); ++i) {
      if (text_[i] == '\\') {
        ++i;
      } else if (text_[i] == '"') {
        at_ = i + 1;
        return true;
      }
    }
    return false;
  }

  // 3</dev/null<char 1:3>>, 4<TCP:[127.0.0.1:80->127.0.0.1:90]>: strace writes the angles of a path
  // itself as \74 and \76.
  bool skip_path() {
    int depth = 0;
    for (std::size_t i = at_; i < text_.size(); ++i) {
      if (text_[i] == '<') ++depth;
      if (text_[i] == '>' && text_[i - 1] != '-' && --depth == 0) {
        at_ = i + 1;
        return true;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t begin_ = 0;
  int depth_ = 0;
  ArgumentList list_;
};

}  // namespace

std::optional<std::uint64_t> read_value(std::string_view text, std::string_view prefix) {
  text = without_comment(text);
  if (text.size() > kLongestValue) return std::nullopt;
  // Several commands with one number: any of them that we know says it.
  if (const std::size_t also = text.find(" or "); also != std::string_view::npos) {
    const auto first = read_value(text.substr(0, also), prefix);
    return first ? first : read_value(text.substr(also + 4), prefix);
  }
  std::uint64_t value = 0;
  for (std::size_t terms = 0; terms < kMostTerms; ++terms) {
    std::size_t bar = text.find('|');
    // The bar inside of _IOC(_IOC_READ|_IOC_WRITE, ...) is its own.
    if (const std::size_t open = text.find('('); open < bar && bar != std::string_view::npos) {
      bar = text.find('|', std::min(text.find(')', open), text.size()));
    }
    const auto term = read_term(trim(text.substr(0, bar)), prefix);
    if (!term) return std::nullopt;
    value |= *term;
    if (bar == std::string_view::npos) return value;
    text.remove_prefix(bar + 1);
  }
  return std::nullopt;
}

ArgumentList split_arguments(std::string_view text) { return ListScanner(text).scan(); }

std::string_view member_text(std::string_view braces, std::string_view name) {
  if (!braces.starts_with('{')) return {};
  for (const std::string_view part : split_arguments(braces.substr(1)).parts) {
    if (part.size() > name.size() && part.starts_with(name) && part[name.size()] == '=') {
      return trim(part.substr(name.size() + 1));
    }
  }
  return {};
}

std::optional<std::int64_t> read_result(std::string_view text) {
  text = trim(text);
  const std::size_t space = text.find(' ');
  const std::string_view first = text.substr(0, text.find_first_of(" <"));
  const std::string_view rest =
      space == std::string_view::npos ? std::string_view() : trim(text.substr(space));
  if (first == "-1" || first == "?") {
    std::string_view word = rest.substr(0, rest.find_first_of(" )"));
    if (word.starts_with('E')) {
      if (const auto number = errno_from_name(word)) return -*number;
    }
    if (rest.starts_with("(errno ")) {
      word = rest.substr(7, rest.find(')') - 7);
      const auto number = parse_u64(word);
      if (number && *number > 0 && *number < 4096) return -static_cast<std::int64_t>(*number);
    }
    if (first == "?") return std::nullopt;
  }
  const auto value = read_number(first);
  if (!value) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

bool starts_task(std::string_view syscall) {
  return syscall == "clone" || syscall == "clone3" || syscall == "fork" || syscall == "vfork";
}

void fill_arguments(Call& call, std::string_view name, const ArgumentText& text_of,
                    ImportSink& sink) {
  for (const syscalls::ArgumentSpec& spec : syscalls::argument_specs(call.arch, name)) {
    if (spec.in_struct) continue;
    for (const std::uint8_t index : spec.indexes) {
      const auto text = text_of(index);
      if (!text) {
        sink.unread_argument(format("argument {} of {} is missing", index, name), {});
      } else if (const auto value = read_value(text->value, text->prefix)) {
        call.args.at(index) = *value;
        continue;
      } else {
        sink.unread_argument(format("argument {} of {} is not known", index, name), text->value);
      }
      call.unread |= static_cast<std::uint8_t>(1U << index);
    }
  }
}

}  // namespace whittle::record
