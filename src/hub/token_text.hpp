// What access tokens look like, however somebody came by one.
#pragma once

#include <locara/base/secret.hpp>

namespace locara::hub {

/// A new one: "hf_" and 40 characters, which are 160 random bits; clients want "hf_" and at least
/// 34 letters and digits.
inline Secret make_token_text() {
    return Secret("hf_" + random_hex(20));
}

} // namespace locara::hub
