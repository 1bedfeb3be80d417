// What a hub and its chunk store say: tokens, preupload, paths, commits, progress of shards,
// ranges, and shards as lists of chunks. (Plans, shards and xorbs as formats: the fuzzers of xet.)
#include "../answer.hpp"
#include "../chunk_list.hpp"
#include "../protocol.hpp"
#include "../resolve.hpp"
#include "../xorb_plan.hpp"

#include <locara/http/client.hpp>

using namespace locara;

namespace {

void check_texts(std::string_view text) {
    if (const auto token = hf::parse_xet_token(text)) {
        LOCARA_ASSERT(http::parse_origin(token->cas_url).has_value());
        LOCARA_ASSERT(!token->cas_url.ends_with('/'));
        LOCARA_ASSERT(!token->value.empty() && token->expires >= 0);
    }
    if (const auto answer = hf::parse_preupload(text)) {
        LOCARA_ASSERT(answer->commit.empty() || hf::is_commit(answer->commit));
    }
    if (const auto answer = hf::parse_commit_answer(text)) {
        LOCARA_ASSERT(hf::is_commit(answer->commit));
        LOCARA_ASSERT(answer->url.find('\n') == std::string::npos);
    }
    static_cast<void>(hf::parse_paths_info(text));
    if (const auto submission = hf::parse_submission(text)) {
        LOCARA_ASSERT(hf::printable(submission->why) == submission->why);
    }
    if (const auto info = hf::parse_revision_info(text)) {
        LOCARA_ASSERT(hf::is_commit(info->commit));
    }
    if (const auto files = hf::parse_tree_page(text)) {
        for (const auto& file : *files) {
            LOCARA_ASSERT(hf::check_path(file.path));
        }
    }
    if (const auto line = hf::parse_shard_progress(text)) {
        LOCARA_ASSERT(hf::printable(line->message) == line->message);
    }
    if (const auto range = hf::ContentRange::parse(text)) {
        LOCARA_ASSERT(range->first <= range->last);
    }
}

void check_shard(ByteView bytes) {
    const auto shard = xet::parse_shard(bytes);
    if (!shard) {
        return;
    }
    SpillBytes spilled;
    LOCARA_ASSERT(spilled.add(bytes).has_value());
    const auto stored = xet::StoredShard::open(std::move(spilled));
    LOCARA_ASSERT(stored.has_value());
    for (const xet::FileBlock& file : shard->files) {
        const auto list = hf::ChunkList::create(*stored, file.hash, file.size(), scratch_folder());
        if (!list) {
            continue;
        }
        LOCARA_ASSERT(list->chunks().size() <=
                      hf::ChunkList::most_chunks(file.size(), file.terms.size()));
        std::uint64_t at = 0;
        const auto chunks = list->chunks().load();
        for (const auto& chunk : *chunks) {
            LOCARA_ASSERT(chunk.offset == at && chunk.xorb < list->xorbs().size());
            LOCARA_ASSERT(list->find(at)->has_value());
            at += chunk.size;
        }
        LOCARA_ASSERT(at == file.size());
    }
    // A store's answer may be anything; what is planned with it still is the file.
    Spill<xet::Chunk> chunks;
    hf::XorbPlan plan(chunks, 1U << 20U);
    LOCARA_ASSERT(plan.add_known(*shard).has_value());
    std::uint64_t size = 0;
    for (const xet::XorbBlock& xorb : shard->xorbs) {
        for (const xet::ShardChunk& chunk : xorb.chunks) {
            LOCARA_ASSERT(chunks.add({0, chunk.raw_bytes, chunk.hash}).has_value());
            size += chunk.raw_bytes;
        }
    }
    LOCARA_ASSERT(plan.add_file(chunks.size(), nullptr).has_value());
    plan.finish();
    const auto block = plan.file_block(0);
    LOCARA_ASSERT(block->size() == size && block->verification.size() == block->terms.size());
    LOCARA_ASSERT(plan.known_bytes() + plan.new_bytes() == size);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes = std::as_bytes(std::span(data, size));
    check_texts(as_text(bytes));
    check_shard(bytes);
    return 0;
}
