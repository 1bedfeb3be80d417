#include "tensor_stream.hpp"

#include "members.hpp"

#include <algorithm>
#include <bit>

namespace locara::convert {

namespace {

constexpr std::uint64_t kBlock = 1U << 20U; ///< numbers; a longer row is a block by itself

/// The row of the source that stands at `row` in the result. Each head has two halves in the
/// source; in the result they alternate.
std::uint64_t source_row(std::uint64_t row, std::uint64_t head_rows) {
    const std::uint64_t head = row / head_rows;
    const std::uint64_t inside = row % head_rows;
    return head * head_rows + (inside % 2) * (head_rows / 2) + inside / 2;
}

} // namespace

Status stream_tensor(const PlannedTensor& tensor,
                     const std::function<Status(ByteView)>& sink,
                     const std::stop_token& stop) {
    Bytes made;
    if (tensor.source == nullptr) {
        for (const float value : tensor.made) {
            const auto bits = std::bit_cast<std::uint32_t>(value);
            for (unsigned i = 0; i < 4; ++i) {
                made.push_back(static_cast<std::byte>((bits >> (8 * i)) & 0xFFU));
            }
        }
        return sink(made);
    }
    const std::uint64_t columns = tensor.shape.size() < 2 ? 1 : tensor.shape.front();
    const std::uint64_t rows = tensor.elements() / columns;
    const std::uint64_t head_rows = tensor.swapped_heads == 0 ? 0 : rows / tensor.swapped_heads;
    const std::uint64_t row_bytes = columns * size_of(tensor.number);
    Bytes in;
    for (std::uint64_t row = 0; row < rows;) {
        if (stop.stop_requested()) {
            return Error(ErrorCode::Cancelled, "stopped while converting");
        }
        const std::uint64_t count =
            std::min(rows - row, std::max<std::uint64_t>(1, kBlock / columns));
        in.resize(static_cast<std::size_t>(count * row_bytes));
        if (head_rows == 0) {
            LOCARA_CHECK(tensor.source->read(tensor.begin + row * row_bytes, in));
        }
        for (std::uint64_t i = 0; head_rows != 0 && i < count; ++i) {
            const std::uint64_t from = source_row(row + i, head_rows);
            LOCARA_CHECK(
                tensor.source->read(tensor.begin + from * row_bytes,
                                    std::span(in).subspan(static_cast<std::size_t>(i * row_bytes),
                                                          static_cast<std::size_t>(row_bytes))));
        }
        made.resize(static_cast<std::size_t>(count * columns * size_of(tensor.target)));
        if (!convert_numbers(tensor.number, in, tensor.target, made)) {
            return Error(ErrorCode::Unsupported,
                         "a weight of " + shown(tensor.name) +
                             " is too large for this precision; take BF16 or F32");
        }
        LOCARA_CHECK(sink(made));
        row += count;
    }
    return {};
}

} // namespace locara::convert
