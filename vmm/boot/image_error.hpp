// SPDX-License-Identifier: Apache-2.0
// Words with which the parsers of guest images refuse one. Cold path.
#pragma once

#include "core/result.hpp"

namespace mote {

/// What to do about an image whose contents contradict themselves.
inline constexpr std::string_view kDamagedImage =
    "the image is damaged or incomplete: build or copy it again";
/// What to do about an image that is sound but not for this machine.
inline constexpr std::string_view kForeignImage =
    "give an x86-64 ELF (with a PVH note, or entered by the 64-bit Linux boot protocol) or a "
    "bzImage";

/// "what -- remedy". The caller adds the image's name.
inline Error refuse(std::string what, std::string_view remedy = kDamagedImage) {
  what += " -- ";
  what += remedy;
  return Error::image(std::move(what));
}

}  // namespace mote
