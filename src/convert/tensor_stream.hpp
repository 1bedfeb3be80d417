// Writing one tensor: its numbers in blocks, converted, rows in the engine's order.
#pragma once

#include "weights.hpp"

#include <locara/base/bytes.hpp>
#include <locara/base/result.hpp>

#include <functional>
#include <stop_token>

namespace locara::convert {

/// Hands the bytes of the tensor to `sink`, in order, at most some MiB at a time. Errors:
/// Unsupported (a weight too large for F16 or BF16), Cancelled, those of the source and of `sink`.
Status stream_tensor(const PlannedTensor& tensor,
                     const std::function<Status(ByteView)>& sink,
                     const std::stop_token& stop);

} // namespace locara::convert
