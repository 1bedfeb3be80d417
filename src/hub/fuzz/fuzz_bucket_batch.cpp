// What a client sends as the body of a batch of a bucket.
#include "../bucket_batch.hpp"

using namespace locara;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto batch = hub::read_batch(std::as_bytes(std::span(data, size)));
    if (!batch) {
        LOCARA_ASSERT(batch.error().status == 400 || batch.error().status == 413);
        return 0;
    }
    LOCARA_ASSERT(batch->size() <= hub::kBatchLimit && batch->size() <= size);
    for (const hub::BatchOperation& operation : *batch) {
        LOCARA_ASSERT(operation.content_type.size() <= 255);
        LOCARA_ASSERT(!operation.modified || *operation.modified >= 0);
    }
    return 0;
}
