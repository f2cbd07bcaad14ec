// SPDX-License-Identifier: Apache-2.0
// RegBits: the contents of one hardware register, as a type of its own. A plain value; no thread.
#pragma once

namespace mote {

/// Bits of the register that `Tag` stands for. A mask of one register cannot be applied to another
/// by mistake: that does not compile. Arithmetic stays in `Rep`, without promotion to int.
template <class Tag, class Rep>
struct RegBits {
  Rep raw{};

  constexpr bool any(RegBits mask) const { return (raw & mask.raw) != 0; }
  constexpr RegBits operator|(RegBits other) const { return {static_cast<Rep>(raw | other.raw)}; }
  constexpr RegBits operator&(RegBits other) const { return {static_cast<Rep>(raw & other.raw)}; }
  constexpr RegBits operator^(RegBits other) const { return {static_cast<Rep>(raw ^ other.raw)}; }
  constexpr RegBits operator~() const { return {static_cast<Rep>(~raw)}; }
  constexpr RegBits& operator|=(RegBits other) { return *this = *this | other; }
  constexpr RegBits& operator&=(RegBits other) { return *this = *this & other; }
  constexpr bool operator==(const RegBits&) const = default;
};

}  // namespace mote
