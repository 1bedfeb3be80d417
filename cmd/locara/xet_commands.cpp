// locara xet: what files are made of, and what of one another one already has.
#include "context.hpp"

#include <locara/xet/chunker.hpp>

#include <algorithm>
#include <thread>
#include <unordered_set>

#include <fcntl.h>

namespace locara::cli {

namespace {

/// Reads a file and chunks it; Control-C ends it.
Result<xet::FileIndex> index(const std::string& path, xet::WithSha256 sha256) {
    // O_NONBLOCK: opening a FIFO must not hang.
    LOCARA_TRY(const auto fd, open_file(path, O_RDONLY | O_NONBLOCK));
    xet::IndexOptions options;
    options.threads = std::max(1U, std::thread::hardware_concurrency());
    options.sha256 = sha256;
    options.stop = interrupt_token();
    return xet::index_file(fd, options).context("reading " + path);
}

std::vector<xet::ChunkInfo> infos(const std::vector<xet::Chunk>& chunks) {
    std::vector<xet::ChunkInfo> list;
    list.reserve(chunks.size());
    for (const xet::Chunk& chunk : chunks) {
        list.push_back(chunk.info());
    }
    return list;
}

} // namespace

Result<int> run_xet_inspect(Context& context, const std::string& path) {
    LOCARA_TRY(const auto file, index(path, xet::WithSha256::Yes));
    LOCARA_TRY(const auto chunks, file.chunks.load()); // all of them are shown
    const auto hashes = infos(chunks);
    const std::string xorb = xet::xorb_hash(hashes).render();
    const std::string range = xet::range_hash(hashes).render();
    if (context.flags.json) {
        Json list = Json::array();
        for (const xet::Chunk& chunk : chunks) {
            list.push_back({{"offset", chunk.offset},
                            {"length", chunk.length},
                            {"hash", chunk.hash.render()}});
        }
        context.print_json({{"schema", "locara.xet-inspect/1"},
                            {"size", file.size},
                            {"file_hash", file.hash.render()},
                            {"xorb_hash", xorb},
                            {"range_hash", range},
                            {"sha256", file.sha256.value().render()},
                            {"chunks", std::move(list)}});
        return kDone;
    }
    context.print(render_table({{"size", std::to_string(file.size)},
                                {"file hash", file.hash.render()},
                                {"xorb hash", xorb},
                                {"range hash", range},
                                {"SHA-256", file.sha256.value().render()}}));
    std::vector<std::vector<std::string>> rows{{"OFFSET", "LENGTH", "CHUNK"}};
    for (const xet::Chunk& chunk : chunks) {
        rows.push_back(
            {std::to_string(chunk.offset), std::to_string(chunk.length), chunk.hash.render()});
    }
    if (!context.flags.quiet) {
        context.print(render_table(rows));
    }
    return kDone;
}

Result<int> run_xet_dedup(Context& context, const std::string& old_path, const std::string& path) {
    LOCARA_TRY(const auto old_file, index(old_path, xet::WithSha256::No));
    LOCARA_TRY(const auto file, index(path, xet::WithSha256::No));
    std::unordered_set<xet::ChunkHash> known;
    LOCARA_TRY(const auto old_chunks, old_file.chunks.load());
    for (const xet::Chunk& chunk : old_chunks) {
        known.insert(chunk.hash);
    }
    LOCARA_TRY(const auto chunks, file.chunks.load());
    std::uint64_t new_bytes = 0;
    std::uint64_t new_chunks = 0;
    std::vector<xet::ByteRange> ranges; // neighbours joined
    for (const xet::Chunk& chunk : chunks) {
        if (!known.insert(chunk.hash).second) {
            continue; // the old file has it, or this one had it before
        }
        ++new_chunks;
        new_bytes += chunk.length;
        if (!ranges.empty() && ranges.back().end == chunk.offset) {
            ranges.back().end += chunk.length;
        } else {
            ranges.push_back({chunk.offset, chunk.offset + chunk.length});
        }
    }
    if (context.flags.json) {
        Json list = Json::array();
        for (const xet::ByteRange& range : ranges) {
            list.push_back({{"offset", range.begin}, {"length", range.size()}});
        }
        context.print_json({{"schema", "locara.xet-dedup/1"},
                            {"size", file.size},
                            {"new_bytes", new_bytes},
                            {"chunks", chunks.size()},
                            {"new_chunks", new_chunks},
                            {"ranges", std::move(list)}});
        return kDone;
    }
    context.print(render_size(new_bytes) + " of " + render_size(file.size) + " are new, " +
                  std::to_string(new_chunks) + " of " + count(chunks.size(), "chunk"));
    std::vector<std::vector<std::string>> rows{{"OFFSET", "NEW BYTES"}};
    for (const xet::ByteRange& range : ranges) {
        rows.push_back({std::to_string(range.begin), std::to_string(range.size())});
    }
    if (!ranges.empty() && !context.flags.quiet) {
        context.print(render_table(rows));
    }
    return kDone;
}

} // namespace locara::cli
