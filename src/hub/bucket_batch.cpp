#include "bucket_batch.hpp"

#include <algorithm>

namespace locara::hub {
namespace {

constexpr std::size_t kLineLimit = 64U << 10U;
constexpr std::size_t kContentTypeLimit = 255;
/// The last millisecond of the year 9999.
constexpr std::uint64_t kLatest = 253'402'300'799'999;

Answer<BatchOperation> parse_line(std::string_view text) {
    JsonLimits limits;
    limits.bytes = kLineLimit;
    auto json = parse_json(text, limits);
    if (!json || !json->is_object()) {
        return bad_request(json ? "is no JSON object" : "is no JSON: " + json.error().describe());
    }
    const std::string type = text_at(*json, "type").value_or("");
    BatchOperation operation;
    operation.path = text_at(*json, "path").value_or("");
    if (type == "deleteFile") {
        operation.kind = BatchOperation::Kind::Remove;
        return operation;
    }
    if (type != "addFile" && type != "copyFile") {
        return bad_request("has type '" + type + "', wanted addFile, copyFile or deleteFile");
    }
    const auto hash = xet::FileHash::parse(text_at(*json, "xetHash").value_or(""));
    if (!hash) {
        return bad_request("needs a xetHash of 64 hex digits");
    }
    operation.xet = *hash;
    const auto modified = json->find("mtime");
    if (modified != json->end() && modified->is_number_unsigned()) {
        operation.modified =
            static_cast<std::int64_t>(std::min(modified->get<std::uint64_t>(), kLatest));
    }
    operation.content_type = text_at(*json, "contentType").value_or("");
    if (operation.content_type.size() > kContentTypeLimit) {
        operation.content_type.clear();
    }
    if (type == "copyFile") {
        operation.kind = BatchOperation::Kind::Copy;
        operation.source_type = text_at(*json, "sourceRepoType").value_or("");
        operation.source_id = text_at(*json, "sourceRepoId").value_or("");
    }
    return operation;
}

} // namespace

Answer<std::vector<BatchOperation>> read_batch(ByteView body) {
    std::vector<BatchOperation> operations;
    std::string_view rest = as_text(body);
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
            continue;
        }
        if (operations.size() == kBatchLimit) {
            return Refusal(413,
                           "",
                           "one batch has at most " + std::to_string(kBatchLimit) +
                               " changes; send several");
        }
        auto operation = parse_line(line);
        if (!operation) {
            return bad_request("line " + std::to_string(number) + " " + operation.error().message);
        }
        operations.push_back(std::move(*operation));
    }
    return operations;
}

} // namespace locara::hub
