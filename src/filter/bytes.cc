#include "filter/bytes.h"

#include "base/text.h"

namespace whittle::filter {

namespace {

constexpr std::size_t kInstruction = 8;

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint32_t number = 0;
  for (std::size_t i = count; i > 0; --i) {
    number = number << 8U | static_cast<unsigned char>(bytes[at + i - 1]);
  }
  return number;
}

}  // namespace

std::string write_bytes(const Program& program) {
  std::string bytes;
  bytes.reserve(program.size() * kInstruction);
  const auto put = [&bytes](std::uint32_t number, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xffU);
  };
  for (const sock_filter& instruction : program) {
    put(instruction.code, 2);
    put(instruction.jt, 1);
    put(instruction.jf, 1);
    put(instruction.k, 4);
  }
  return bytes;
}

bool looks_like_program(std::string_view bytes) {
  return bytes.size() >= kInstruction && bytes[1] == '\0';
}

Result<Program> read_bytes(std::string_view bytes, std::string_view place) {
  if (bytes.size() % kInstruction != 0) {
    return input_error(
        format("{} bytes are no whole number of instructions of 8 bytes", bytes.size()),
        std::string(place),
        "a BPF program is an array of struct sock_filter, as seccomp(2) takes it");
  }
  if (bytes.size() / kInstruction > BPF_MAXINSNS) {
    return input_error(format("{} instructions are over the kernel's limit of {}",
                              bytes.size() / kInstruction, BPF_MAXINSNS),
                       std::string(place));
  }
  Program program;
  program.reserve(bytes.size() / kInstruction);
  for (std::size_t at = 0; at < bytes.size(); at += kInstruction) {
    program.push_back({static_cast<std::uint16_t>(number_at(bytes, at, 2)),
                       static_cast<std::uint8_t>(number_at(bytes, at + 2, 1)),
                       static_cast<std::uint8_t>(number_at(bytes, at + 3, 1)),
                       number_at(bytes, at + 4, 4)});
  }
  auto good = check(program);
  if (good) return program;
  Error error = std::move(good).error();
  error.place = error.place.empty() ? std::string(place) : format("{} {}", place, error.place);
  return tl::unexpected(std::move(error));
}

}  // namespace whittle::filter
