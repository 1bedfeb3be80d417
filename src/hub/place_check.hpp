// Whether a folder may become a hub's.
#pragma once

#include <locara/base/result.hpp>

#include <filesystem>

namespace locara::hub {

/// Conflict if `data` holds other things than a hub's: it is not empty, and has neither what a hub
/// makes first nor its configuration, beside which anything may lie. One that is not there, or is
/// the top of a file system (lost+found), is fine.
Status require_place(const std::filesystem::path& data);

} // namespace locara::hub
