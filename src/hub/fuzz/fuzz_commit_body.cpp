// What a client sends as the body of a commit.
#include "../commit_body.hpp"

#include <locara/base/path.hpp>

using namespace locara;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView body = std::as_bytes(std::span(data, size));
    std::size_t operations = 0;
    const auto take = [&](const hub::CommitHeader&,
                          hub::CommitOperation operation) -> hub::Answer<std::monostate> {
        ++operations;
        LOCARA_ASSERT(validate_path(operation.path).has_value());
        LOCARA_ASSERT(operation.content.size() <= hub::kInlineFileLimit);
        return std::monostate();
    };
    auto header = hub::read_commit_body(body, take);
    LOCARA_ASSERT(operations <= hub::kCommitOperationLimit && operations <= size);
    if (header) {
        LOCARA_ASSERT(!header->summary.empty() && header->summary.size() <= hub::kSummaryLimit);
    } else {
        const int status = header.error().status;
        LOCARA_ASSERT(status == 501 || (status >= 400 && status < 500));
    }
    return 0;
}
