#include "commit_body.hpp"

#include <locara/base/path.hpp>

namespace locara::hub {
namespace {

constexpr std::string_view kKeys =
    "header, file, lfsFile, deletedFile, deletedFolder or deletedEntry";

Refusal too_large(std::string message) {
    return {413, "", std::move(message)};
}

/// Takes the next line off the front, without its end.
std::string_view cut_line(std::string_view& rest) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    return line;
}

/// A line's key and value.
struct Line {
    std::string key;
    Json value;
};

Answer<Line> parse_line(std::string_view text, std::size_t number) {
    const std::string where = "line " + std::to_string(number) + " ";
    if (text.size() > kCommitLineLimit) {
        return too_large(where + "has " + std::to_string(text.size()) + " bytes, at most " +
                         std::to_string(kCommitLineLimit) +
                         " are read; large files are uploaded by Xet, not in the commit");
    }
    JsonLimits limits;
    limits.bytes = kCommitLineLimit;
    auto json = parse_json(text, limits);
    if (!json) {
        return bad_request(where + "is no JSON: " + json.error().describe());
    }
    if (!json->is_object() || !json->contains("key") || !(*json)["key"].is_string() ||
        !json->contains("value") || !(*json)["value"].is_object()) {
        return bad_request(where + R"(must be {"key": "...", "value": {...}})");
    }
    return Line{(*json)["key"].get<std::string>(), std::move((*json)["value"])};
}

Answer<CommitHeader> parse_header(const Json& value) {
    CommitHeader header;
    header.summary = text_at(value, "summary").value_or("");
    header.description = text_at(value, "description").value_or("");
    header.parent = text_at(value, "parentCommit");
    if (header.summary.empty() || header.summary.size() > kSummaryLimit ||
        header.description.size() > kDescriptionLimit) {
        return bad_request("the header needs a summary of 1 to " + std::to_string(kSummaryLimit) +
                           " bytes; a description has at most " +
                           std::to_string(kDescriptionLimit));
    }
    return header;
}

Answer<CommitOperation> parse_text_file(const Json& value) {
    CommitOperation operation;
    operation.kind = CommitOperation::Kind::Text;
    LOCARA_TRY(operation.content, inline_content(value));
    return operation;
}

Answer<CommitOperation> parse_stored_file(const Json& value) {
    CommitOperation operation;
    operation.kind = CommitOperation::Kind::Stored;
    const auto digest = crypto::Sha256Digest::parse(text_at(value, "oid").value_or(""));
    if (!digest || text_at(value, "algo").value_or("sha256") != "sha256") {
        return bad_request("an lfsFile needs algo sha256 and an oid of 64 hex digits");
    }
    operation.oid = *digest;
    const auto size = value.find("size");
    if (size != value.end() && size->is_number_unsigned()) {
        operation.size = size->get<std::uint64_t>();
    }
    return operation;
}

Answer<CommitOperation> parse_removal(const std::string& key, std::string& path) {
    CommitOperation operation;
    const bool folder = key != "deletedFile" && !path.empty() && path.back() == '/';
    operation.kind = folder || key == "deletedFolder" ? CommitOperation::Kind::RemoveFolder
                                                      : CommitOperation::Kind::RemoveFile;
    if (folder) {
        path.pop_back();
    }
    return operation;
}

Answer<CommitOperation> parse_operation(const Line& line) {
    std::string path = text_at(line.value, "path").value_or("");
    const std::string old_path = text_at(line.value, "oldPath").value_or("");
    const bool file = line.key == "file" || line.key == "lfsFile";
    Answer<CommitOperation> operation =
        bad_request("found key '" + line.key + "', wanted " + std::string(kKeys));
    if (file && !old_path.empty() && !line.value.contains("content") &&
        !line.value.contains("oid")) {
        CommitOperation rename;
        rename.kind = CommitOperation::Kind::Rename;
        operation = std::move(rename);
    } else if (line.key == "file") {
        operation = parse_text_file(line.value);
    } else if (line.key == "lfsFile") {
        operation = parse_stored_file(line.value);
    } else if (line.key == "deletedFile" || line.key == "deletedFolder" ||
               line.key == "deletedEntry") {
        operation = parse_removal(line.key, path);
    }
    if (operation) {
        LOCARA_CHECK(check_path(path));
        operation->path = std::move(path);
    }
    if (operation && file && !old_path.empty()) {
        LOCARA_CHECK(check_path(old_path));
        if (old_path == operation->path) {
            return bad_request(old_path + " is to be renamed to itself");
        }
        operation->old_path = old_path;
    }
    return operation;
}

} // namespace

Answer<std::monostate> check_path(const std::string& path) {
    const Status fine = validate_path(path);
    if (!fine) {
        return Refusal(422, "", fine.error().describe());
    }
    return std::monostate();
}

Answer<std::string> inline_content(const Json& file) {
    auto content = text_at(file, "content");
    const std::string encoding = text_at(file, "encoding").value_or("utf-8");
    if (!content) {
        return bad_request("a file needs its content");
    }
    if (encoding == "base64") {
        const auto bytes = parse_base64(*content);
        if (!bytes) {
            return bad_request("the content of a file is no base64: " + bytes.error().message());
        }
        content = std::string(as_text(*bytes));
    } else if (encoding != "utf-8") {
        return bad_request("found encoding '" + encoding + "', wanted utf-8 or base64");
    }
    if (content->size() > kInlineFileLimit) {
        return too_large("an inline file has " + std::to_string(content->size()) +
                         " bytes, at most " + std::to_string(kInlineFileLimit) +
                         " are allowed; upload it by Xet and name it as lfsFile");
    }
    return std::move(*content);
}

Answer<CommitHeader> read_commit_body(ByteView body, const TakeOperation& take) {
    std::string_view rest = as_text(body);
    std::optional<CommitHeader> header;
    std::size_t operations = 0;
    for (std::size_t number = 1; !rest.empty(); ++number) {
        const std::string_view text = cut_line(rest);
        if (text.empty()) {
            continue;
        }
        LOCARA_TRY(const Line line, parse_line(text, number));
        if ((line.key == "header") == header.has_value()) {
            return bad_request("the first line, and no other, must be the header");
        }
        if (!header) {
            LOCARA_TRY(header, parse_header(line.value));
            continue;
        }
        if (++operations > kCommitOperationLimit) {
            return too_large("one commit has at most " + std::to_string(kCommitOperationLimit) +
                             " operations; make several");
        }
        LOCARA_TRY(CommitOperation operation, parse_operation(line));
        LOCARA_CHECK(take(*header, std::move(operation)));
    }
    if (!header) {
        return bad_request("the body is empty; its first line must be the header");
    }
    return std::move(*header);
}

} // namespace locara::hub
