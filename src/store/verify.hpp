// Hashing stored files again, and what becomes of a bad one. Private to the module.
#pragma once

#include "locate.hpp"

#include <locara/store/store.hpp>

namespace locara::store {

/// As Store::check.
Result<std::optional<BadFile>>
verify_file(const Layout& layout,
            const Digest& digest,
            OnBad on_bad,
            Lock lock,
            const std::stop_token& stop,
            const std::function<void(std::size_t)>& progress = nullptr);

} // namespace locara::store
