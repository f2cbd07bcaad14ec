// SPDX-License-Identifier: Apache-2.0
// /cpu-config: bits of CPUID, as far as they mean the same on every host.
#include <charconv>

#include "vmm/config/resources.hpp"

namespace mote {
namespace {

using json::Field;
using json::Need;
using json::Reader;
using json::Value;

/// "0x80000001", or a plain number.
bool read_leaf(Reader& r, const Value& v, u32& leaf) {
  if (v.kind == json::Kind::kNumber) return r.read(v, leaf);
  std::string text;
  if (!r.read(v, text)) return false;
  const char* const begin = text.data() + (text.starts_with("0x") ? 2 : 0);
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, leaf, text.starts_with("0x") ? 16 : 10);
  if (error == std::errc() && stop == end) return true;
  return r.refuse("invalid value: string \"" + text.substr(0, 64) +
                      "\", expected a 32-bit number as in \"0x80000001\"",
                  v.end);
}

/// "0bxx10": the last digit is bit 0; x leaves a bit as it is, and so does the lack of a digit.
bool read_bitmap(Reader& r, const Value& v, CpuidMask& mask) {
  std::string text;
  if (!r.read(v, text)) return false;
  u32 bits = 0;
  bool valid = text.starts_with("0b");
  mask.clear = 0;
  mask.set = 0;
  for (std::size_t i = 2; valid && i < text.size(); ++i) {
    if (text[i] == '_') continue;
    mask.clear = (mask.clear << 1) | (text[i] == '0' ? 1 : 0);
    mask.set = (mask.set << 1) | (text[i] == '1' ? 1 : 0);
    valid = ++bits <= 32 && (text[i] == '0' || text[i] == '1' || text[i] == 'x');
  }
  if (valid && bits > 0) return true;
  return r.refuse("invalid value: string \"" + text.substr(0, 64) +
                      "\", expected up to 32 bits as in \"0bxx10\"",
                  v.end);
}

bool read_register(Reader& r, const Value& v, CpuidMask& mask) {
  using Register = CpuidMask::Register;
  static constexpr std::array<std::string_view, 4> kNames = {"eax", "ebx", "ecx", "edx"};
  static constexpr std::array kRegisters = {Register::kEax, Register::kEbx, Register::kEcx,
                                            Register::kEdx};
  return r.read_variant(v, kNames, kRegisters, mask.reg);
}

constexpr Field<CpuidMask> kRegister[] = {
    {"register", Need::kRequired, &read_register},
    {"bitmap", Need::kRequired, &read_bitmap},
};

struct LeafModifier {
  u32 leaf = 0;
  u32 subleaf = 0;
  u32 flags = 0;
  std::vector<CpuidMask> masks;
};

constexpr Field<LeafModifier> kLeaf[] = {
    {"leaf", Need::kRequired,
     [](Reader& r, const Value& v, LeafModifier& t) { return read_leaf(r, v, t.leaf); }},
    {"subleaf", Need::kRequired,
     [](Reader& r, const Value& v, LeafModifier& t) { return read_leaf(r, v, t.subleaf); }},
    {"flags", Need::kRequired,
     [](Reader& r, const Value& v, LeafModifier& t) { return r.read(v, t.flags); }},
    {"modifiers", Need::kRequired,
     [](Reader& r, const Value& v, LeafModifier& t) {
       if (v.kind != json::Kind::kArray) return r.refuse_type(v, "a sequence");
       for (const json::Member& element : v.members) {
         if (!json::read_object(r, element.value, "struct CpuidRegisterModifier", kRegister,
                                t.masks.emplace_back())) {
           return false;
         }
       }
       return true;
     }},
};

using Masks = std::vector<CpuidMask>;

bool read_leaves(Reader& r, const Value& v, Masks& masks) {
  if (v.kind != json::Kind::kArray) return r.refuse_type(v, "a sequence");
  for (const json::Member& element : v.members) {
    LeafModifier modifier;
    if (!json::read_object(r, element.value, "struct CpuidLeafModifier", kLeaf, modifier)) {
      return false;
    }
    for (CpuidMask& mask : modifier.masks) {
      mask.leaf = modifier.leaf;
      mask.subleaf = modifier.subleaf;
      masks.push_back(mask);
    }
  }
  return true;
}

/// What differs from host to host stays as it is.
template <const char* kWhat>
bool refuse_elements(Reader& r, const Value& v, Masks&) {
  if (v.kind != json::Kind::kArray) return r.refuse_type(v, "a sequence");
  if (v.members.empty()) return true;
  return r.refuse(std::string("Mote changes no ") + kWhat + ": leave the list empty", v.end);
}

constexpr char kCapabilities[] = "capabilities of KVM";
constexpr char kMsrs[] = "MSRs";

constexpr Field<Masks> kCpu[] = {
    {"kvm_capabilities", Need::kOptional, &refuse_elements<kCapabilities>},
    {"cpuid_modifiers", Need::kOptional, &read_leaves},
    {"msr_modifiers", Need::kOptional, &refuse_elements<kMsrs>},
};

}  // namespace

bool read_cpu_config(Reader& reader, const Value& value, std::vector<CpuidMask>& cpuid) {
  return json::read_object(reader, value, "struct CustomCpuTemplate", kCpu, cpuid);
}

}  // namespace mote
