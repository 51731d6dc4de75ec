#include "record/call_frames.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include <cstdlib>
#include <span>
#include <utility>
#include <vector>

namespace whittle::record {

namespace {

// libdw reads the section as a whole, and keeps what a program of it says in memory: both bounded.
constexpr std::uint64_t kMostSection = 16U << 20U;
constexpr std::uint64_t kMostEntry = 64U << 10U;
constexpr std::size_t kMostOperations = 64;
constexpr std::size_t kMostDepth = 32;  // of the stack of an expression

struct FrameDeleter {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }  // as libdw.h says
};

// What the operations of an expression work on.
struct Context {
  const Registers& registers;
  const ReadWord& read;
  std::uint64_t bias;
  std::optional<std::uint64_t> cfa;
};

class Expression {
 public:
  explicit Expression(const Context& context) : context_(context) {}

  struct Place {
    std::uint64_t value;
    bool is_value;  // else the address of the value
  };

  std::optional<Place> evaluate(std::span<const Dwarf_Op> operations) {
    if (operations.empty() || operations.size() > kMostOperations) return std::nullopt;
    for (const Dwarf_Op& operation : operations) {
      if (!step(operation) || stack_.size() > kMostDepth) return std::nullopt;
    }
    const auto top = pop();
    if (!top) return std::nullopt;
    return Place{*top, is_value_};
  }

 private:
  bool push(std::optional<std::uint64_t> value) {
    if (value) stack_.push_back(*value);
    return value.has_value();
  }
  std::optional<std::uint64_t> pop() {
    if (stack_.empty()) return std::nullopt;
    const std::uint64_t value = stack_.back();
    stack_.pop_back();
    return value;
  }
  bool push_register(std::uint64_t number, std::uint64_t offset) {
    if (number >= kMostRegisters || !context_.registers[number]) return false;
    return push(*context_.registers[number] + offset);
  }
  bool step(const Dwarf_Op& operation);
  bool binary(unsigned atom);

  const Context& context_;
  std::vector<std::uint64_t> stack_;
  bool is_value_ = false;
};

bool Expression::step(const Dwarf_Op& operation) {
  const unsigned atom = operation.atom;
  if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
    return push_register(atom - DW_OP_breg0, operation.number);
  }
  // A register as a place: its content is the value.
  if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) {
    is_value_ = true;
    return push_register(atom - DW_OP_reg0, 0);
  }
  if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) return push(atom - DW_OP_lit0);
  switch (atom) {
    case DW_OP_bregx:
      return push_register(operation.number, operation.number2);
    case DW_OP_regx:
      is_value_ = true;
      return push_register(operation.number, 0);
    case DW_OP_call_frame_cfa:
      return push(context_.cfa);
    case DW_OP_stack_value:
      is_value_ = true;
      return true;
    case DW_OP_addr:
      return push(operation.number + context_.bias);
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
      return push(operation.number);
    case DW_OP_plus_uconst: {
      const auto value = pop();
      return value && push(*value + operation.number);
    }
    case DW_OP_deref: {
      const auto address = pop();
      return address && push(context_.read(*address));
    }
    case DW_OP_dup: {
      const auto value = pop();
      return value && push(value) && push(value);
    }
    case DW_OP_nop:
      return true;
    default:
      return binary(atom);
  }
}

bool Expression::binary(unsigned atom) {
  const auto b = pop();
  const auto a = pop();
  if (!a || !b) return false;
  switch (atom) {
    case DW_OP_plus:
      return push(*a + *b);
    case DW_OP_minus:
      return push(*a - *b);
    case DW_OP_and:
      return push(*a & *b);
    case DW_OP_or:
      return push(*a | *b);
    case DW_OP_shl:
      return push(*b < 64 ? *a << *b : 0);
    case DW_OP_shr:
      return push(*b < 64 ? *a >> *b : 0);
    case DW_OP_ge:
      return push(static_cast<std::int64_t>(*a) >= static_cast<std::int64_t>(*b) ? 1 : 0);
    default:
      return false;  // nothing else is met in call frame information
  }
}

// libdw gives an expression as operations and their number, in both of its two functions.
struct Operations {
  Dwarf_Op* first = nullptr;
  std::size_t count = 0;
  std::span<const Dwarf_Op> all() const { return {first, count}; }
};

std::optional<std::uint64_t> caller_value(Dwarf_Frame* frame, unsigned number,
                                          const Context& context) {
  Dwarf_Op room[3];
  Operations operations;
  if (dwarf_frame_register(frame, static_cast<int>(number), room, &operations.first,
                           &operations.count) != 0) {
    return std::nullopt;
  }
  if (operations.count == 0) {
    // The same value, if there are no operations at all; else it is undefined.
    return operations.first == nullptr ? context.registers.at(number) : std::nullopt;
  }
  const auto place = Expression(context).evaluate(operations.all());
  if (!place) return std::nullopt;
  return place->is_value ? place->value : context.read(place->value);
}

// A pass over all entries: none is so long that what it says would fill our memory.
bool entries_are_bounded(Elf* elf, Elf_Data* data) {
  const auto* ident = reinterpret_cast<const unsigned char*>(elf_getident(elf, nullptr));
  Dwarf_Off at = 0;
  while (true) {
    Dwarf_Off next = 0;
    Dwarf_CFI_Entry entry;
    const int found = dwarf_next_cfi(ident, data, true, at, &next, &entry);
    if (found == 1) return true;
    if (next <= at || next - at > kMostEntry) return false;
    at = next;  // an entry that is not understood is one that says nothing
  }
}

// The place of .eh_frame among the sections, when it and its index are within the limits and there
// is one of each: libdw looks for them by name.
std::optional<std::size_t> frame_section(const ElfFile& file) {
  std::optional<std::size_t> place;
  bool indexed = false;
  for (std::size_t i = 0; i < file.sections().size(); ++i) {
    const ElfSection& section = file.sections()[i];
    const bool frames = section.name == ".eh_frame";
    if (!frames && section.name != ".eh_frame_hdr") continue;
    if (section.size > kMostSection || (frames ? place.has_value() : indexed)) return std::nullopt;
    if (frames) {
      place = i;
    } else {
      indexed = true;
    }
  }
  return place;
}

}  // namespace

unsigned stack_register(Machine machine) {
  if (machine == Machine::kX86_64) return 7;
  return machine == Machine::kX86 ? 4 : 31;
}

unsigned frame_register(Machine machine) {
  if (machine == Machine::kX86_64) return 6;
  return machine == Machine::kX86 ? 5 : 29;
}

unsigned word_size(Machine machine) { return machine == Machine::kX86 ? 4 : 8; }

struct CallFrames::Library {
  Elf* elf = nullptr;
  Dwarf_CFI* cfi = nullptr;  // owned by libdw, apart from the Elf
  std::string image;

  Library() = default;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    if (cfi != nullptr) dwarf_cfi_end(cfi);
    if (elf != nullptr) elf_end(elf);
  }
};

CallFrames::CallFrames(std::unique_ptr<Library> library) : library_(std::move(library)) {}
CallFrames::~CallFrames() = default;

std::unique_ptr<CallFrames> CallFrames::open(const ElfFile& file) {
  const auto place = frame_section(file);
  if (!place) return nullptr;
  elf_version(EV_CURRENT);
  auto library = std::make_unique<Library>();
  library->image = file.image();
  // ELF_C_READ: with read(2) and only what is asked for; a mapping of a file that is truncated
  // under us would be a SIGBUS.
  library->elf = file.fd() >= 0 ? elf_begin(file.fd(), ELF_C_READ, nullptr)
                                : elf_memory(library->image.data(), library->image.size());
  if (library->elf == nullptr) return nullptr;
  Elf_Data* data = elf_rawdata(elf_getscn(library->elf, *place), nullptr);
  if (data == nullptr || data->d_size > kMostSection || !entries_are_bounded(library->elf, data)) {
    return nullptr;
  }
  library->cfi = dwarf_getcfi_elf(library->elf);
  if (library->cfi == nullptr) return nullptr;
  std::unique_ptr<CallFrames> result(new CallFrames(std::move(library)));
  result->machine_ = file.machine();
  result->cost_ = file.sections()[*place].size + file.image().size();
  return result;
}

std::optional<Caller> CallFrames::caller(std::uint64_t address, std::uint64_t bias,
                                         const Registers& registers, const ReadWord& read) const {
  Dwarf_Frame* found = nullptr;
  if (dwarf_cfi_addrframe(library_->cfi, address, &found) != 0) return std::nullopt;
  const std::unique_ptr<Dwarf_Frame, FrameDeleter> frame(found);
  Context context{registers, read, bias, std::nullopt};
  Operations operations;
  if (dwarf_frame_cfa(found, &operations.first, &operations.count) != 0) return std::nullopt;
  const auto cfa = Expression(context).evaluate(operations.all());
  if (!cfa) return std::nullopt;
  context.cfa = cfa->value;

  Caller caller;
  bool interrupted = false;
  const int return_column = dwarf_frame_info(found, nullptr, nullptr, &interrupted);
  if (return_column < 0 || return_column >= static_cast<int>(kMostRegisters)) return std::nullopt;
  caller.interrupted = interrupted;
  for (unsigned number = 0; number < kMostRegisters; ++number) {
    caller.registers[number] = caller_value(found, number, context);
  }
  // Where nothing says otherwise the caller's stack begins where the frame ends.
  std::optional<std::uint64_t>& stack = caller.registers[stack_register(machine_)];
  if (!stack || !interrupted) stack = context.cfa;
  caller.address = caller.registers[static_cast<unsigned>(return_column)].value_or(0);
  return caller;
}

}  // namespace whittle::record
