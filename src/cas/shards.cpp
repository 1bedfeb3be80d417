// Shards in and out: registering files, describing them, answering dedup queries.
#include "state.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace locara::cas {

namespace {

std::uint64_t seconds_of(TimePoint time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

std::uint64_t chunks_in(const xet::FileBlock& block) {
    std::uint64_t count = 0;
    for (const xet::FileTerm& term : block.terms) {
        count += term.chunks.size();
    }
    return count;
}

std::uint64_t size_of(const xet::FileBlock& block) {
    std::uint64_t size = 0;
    for (const xet::FileTerm& term : block.terms) {
        size += term.raw_bytes;
    }
    return size;
}

/// The files of a shard, each once.
std::vector<ShardClaim> claims_of(const xet::Shard& shard) {
    std::vector<ShardClaim> claims;
    std::unordered_set<xet::FileHash> seen;
    for (const xet::FileBlock& file : shard.files) {
        if (seen.insert(file.hash).second) {
            claims.push_back({file.hash, size_of(file)});
        }
    }
    return claims;
}

/// Checks one uploaded file after another against the tables of stored xorbs.
class Checker {
  public:
    Checker(Cas::State& cas, const ShardOptions& options, std::uint64_t total)
        : cas_(cas), options_(options), total_(total) {}

    Status check(const xet::FileBlock& file) {
        for (const xet::XorbHash& xorb : xorbs_in(file)) {
            LOCARA_CHECK(check_access(xorb));
        }
        const auto find = [&](const xet::XorbHash& xorb) { return table(xorb); };
        auto verified = xet::verify_file(file, find, xet::Proofs::Required);
        if (!verified && error_) { // says more than that there is no table
            return std::move(*error_);
        }
        LOCARA_CHECK(std::move(verified).context("checking file " + file.hash.render()));
        done_ += chunks_in(file);
        if (options_.progress) {
            options_.progress(done_, total_);
        }
        return {};
    }

    /// Refuses what is large only because it names the same bytes over and over. REQUIRES: the
    /// files were checked.
    Status check_repeats(const xet::Shard& shard, const std::vector<ShardClaim>& claims) {
        for (const xet::FileBlock& file : shard.files) {
            const std::uint64_t size = size_of(file);
            if (size > kMaxFreeRepeats) {
                LOCARA_CHECK(check_repeats(
                    "file " + file.hash.render(), size, xorbs_in(file), kMaxFileRepeats));
            }
        }
        std::uint64_t size = 0;
        for (const ShardClaim& file : claims) {
            size += file.size;
        }
        return size > kMaxFreeRepeats ? check_repeats("the shard", size, allowed_, kMaxShardRepeats)
                                      : Status();
    }

  private:
    Status check_repeats(const std::string& what,
                         std::uint64_t size,
                         const std::set<xet::XorbHash>& xorbs,
                         std::uint64_t most) {
        std::uint64_t distinct = 0;
        for (const xet::XorbHash& xorb : xorbs) {
            LOCARA_TRY(const auto table, cas_.table(xorb));
            distinct += table->raw_bytes();
        }
        if (size / most <= distinct) {
            return {};
        }
        return Error(ErrorCode::TooLarge,
                     what + " has " + std::to_string(size) + " bytes, made of xorbs with " +
                         std::to_string(distinct) + "; at most " + std::to_string(most) +
                         " times as many are taken");
    }

    Status check_access(const xet::XorbHash& xorb) {
        if (allowed_.contains(xorb)) {
            return {};
        }
        if (!options_.may_use(xorb)) {
            return Error(ErrorCode::Forbidden,
                         "the shard names the xorb " + xorb.render() +
                             ", which is not the caller's to use; upload it first");
        }
        // From here until gc's grace time is over it stays, whoever collects meanwhile.
        LOCARA_TRY(const bool there, cas_.touch_if_there(key_of(xorb)));
        if (!there) {
            cas_.tables.erase(xorb);
            return Error(ErrorCode::NotFound,
                         "the shard names the xorb " + xorb.render() +
                             ", which is not here; upload it first");
        }
        allowed_.insert(xorb);
        return {};
    }

    const xet::XorbTable* table(const xet::XorbHash& xorb) {
        auto found = cas_.table(xorb);
        if (!found) {
            error_ = std::move(found).error();
            return nullptr;
        }
        table_ = std::move(*found);
        return table_.get();
    }

    Cas::State& cas_;
    const ShardOptions& options_;
    const std::uint64_t total_;
    std::uint64_t done_ = 0;
    std::set<xet::XorbHash> allowed_;
    std::shared_ptr<const xet::XorbTable> table_; ///< Shared with the cache of the Cas.
    std::optional<Error> error_;
};

Error wrong_sha256(const xet::FileHash& file, const Sha256& claimed, const Sha256& found) {
    return Error(ErrorCode::Conflict,
                 "the shard says that file " + file.render() + " has the SHA-256 " +
                     claimed.render() + ", but it has " + found.render());
}

/// What to do with a file that was checked.
struct Checked {
    const xet::FileBlock* block = nullptr;
    bool there = false;
    std::optional<Sha256> computed; ///< From the bytes, to be remembered.
};

/// Settles what is known of the file's SHA-256. Bytes are read only when that cannot be avoided: to
/// check now, or because the file is here already and the claim is news.
Status settle_sha256(Cas::State& cas, ShardOptions::CheckSha256 when, Checked& file) {
    const auto& claimed = file.block->sha256;
    if (!claimed) {
        return {};
    }
    const xet::FileHash& hash = file.block->hash;
    LOCARA_TRY(auto known, cas.verified_sha256(hash));
    if (!known) {
        bool read = when == ShardOptions::CheckSha256::Now;
        if (!read && file.there) {
            LOCARA_TRY(const auto stored, cas.file(hash));
            read = stored->sha256 != claimed;
        }
        if (!read) {
            return {};
        }
        // Not owned: the block lives as long as this call.
        const std::shared_ptr<const xet::FileBlock> borrowed(std::shared_ptr<void>(), file.block);
        LOCARA_TRY(known, cas.compute_sha256(borrowed));
        file.computed = known;
    }
    return *known == *claimed ? Status() : Status(wrong_sha256(hash, *claimed, *known));
}

} // namespace

Inserted ShardResult::inserted() const {
    const bool any = std::any_of(
        files.begin(), files.end(), [](const File& f) { return f.inserted == Inserted::Yes; });
    return any ? Inserted::Yes : Inserted::No;
}

Result<ShardResult> Cas::put_shard(ByteView bytes, const ShardOptions& options) {
    LOCARA_ASSERT(options.may_use);
    LOCARA_TRY(const auto shard, xet::parse_shard(bytes));
    std::uint64_t total = 0;
    for (const xet::FileBlock& file : shard.files) {
        total += chunks_in(file);
    }
    if (total > kMaxFileChunks) {
        return Error(ErrorCode::TooLarge,
                     "the shard's files have " + std::to_string(total) + " chunks; at most " +
                         std::to_string(kMaxFileChunks) + " are taken at once");
    }

    const auto claimed = claims_of(shard);
    if (options.admit) {
        LOCARA_CHECK(options.admit(claimed));
    }

    // Check everything, what is quick first, then store: an error stores nothing.
    Checker checker(*state_, options, total);
    for (const xet::FileBlock& file : shard.files) {
        LOCARA_CHECK(checker.check(file));
    }
    LOCARA_CHECK(checker.check_repeats(shard, claimed));
    std::vector<Checked> checked;
    std::unordered_map<xet::FileHash, std::optional<Sha256>> claims;
    for (const xet::FileBlock& file : shard.files) {
        const auto [claim, first] = claims.try_emplace(file.hash, file.sha256);
        if (!first && claim->second != file.sha256) {
            return Error(ErrorCode::Corrupt,
                         "the shard names the file " + file.hash.render() +
                             " twice, with different SHA-256s");
        }
        if (!first) {
            continue;
        }
        Checked next{&file, file.hash.is_zero(), std::nullopt};
        if (!next.there) {
            LOCARA_TRY(next.there, state_->touch_if_there(key_of(file.hash)));
        }
        LOCARA_CHECK(settle_sha256(*state_, options.check_sha256, next));
        checked.push_back(std::move(next));
    }

    ShardResult result;
    for (const Checked& file : checked) {
        if (file.computed) {
            LOCARA_CHECK(state_->remember_sha256(file.block->hash, *file.computed));
        }
        LOCARA_TRY(const auto stored, state_->store_file(*file.block));
        LOCARA_TRY(auto info, file_info(file.block->hash));
        result.files.push_back({std::move(info), stored ? Inserted::Yes : Inserted::No});
    }
    return result;
}

Result<Bytes> Cas::shard_of(const xet::FileHash& file) const {
    LOCARA_TRY(const auto block, state_->file(file));
    LOCARA_TRY(const auto info, file_info(file));
    xet::Shard shard;
    shard.files.push_back(*block);
    shard.files.front().sha256 = info.sha256;
    const auto first = first_chunk_of(*block);
    std::uint64_t size = 0;
    for (const xet::XorbHash& xorb : xorbs_in(*block)) {
        LOCARA_TRY(const auto table, state_->table(xorb));
        size += std::uint64_t{table->size()} * sizeof(xet::ShardChunk);
        if (size > xet::kMaxShardBytes) {
            return Error(ErrorCode::TooLarge,
                         "the file " + file.render() + " has too many chunks for one shard");
        }
        std::vector<std::uint32_t> firsts;
        if (first && first->xorb == xorb) {
            firsts.push_back(first->index);
        }
        shard.xorbs.push_back(xet::make_xorb_block(xorb, *table, firsts));
    }
    const TimePoint now = state_->options.clock->now();
    // Nothing in it is keyed; a year is "always" to a client that asks.
    shard.footer =
        xet::ShardFooter{{}, seconds_of(now), seconds_of(now + std::chrono::hours(24) * 365)};
    return xet::render_shard(shard);
}

Result<std::optional<Bytes>> Cas::find_dedup(const xet::ChunkHash& chunk,
                                             const MayUse& may_use,
                                             const xet::DedupKey& key,
                                             std::chrono::seconds valid_for) const {
    std::optional<Entry> found;
    std::optional<std::string> after = "";
    while (after && !found) {
        LOCARA_TRY(Page page, state_->backend.list(entries_of(chunk), *after));
        for (const ObjectInfo& object : page.objects) {
            const auto entry = parse_entry_key(object.key.render());
            if (!entry || !may_use(entry->xorb)) {
                continue;
            }
            // The answer lets the client refer to the xorb later: it has to stay until then.
            LOCARA_TRY(const bool there, state_->touch_if_there(key_of(entry->xorb)));
            if (there) {
                found = entry;
                break;
            }
        }
        after = std::move(page.next);
    }
    if (!found) {
        return std::optional<Bytes>();
    }
    LOCARA_TRY(const auto table, state_->table(found->xorb));
    const auto chunks = table->chunks();
    const auto at =
        std::find_if(chunks.begin(), chunks.end(), [&](const auto& c) { return c.hash == chunk; });
    if (at == chunks.end()) { // fsck reports it
        return std::optional<Bytes>();
    }
    const auto index = static_cast<std::uint32_t>(at - chunks.begin());
    std::vector<xet::XorbBlock> blocks;
    blocks.push_back(xet::make_xorb_block(found->xorb, *table, std::span(&index, 1)));
    const TimePoint now = state_->options.clock->now();
    const auto answer = xet::make_dedup_answer(std::move(blocks),
                                               {key, seconds_of(now), seconds_of(now + valid_for)});
    LOCARA_TRY(Bytes bytes, xet::render_shard(answer));
    return std::optional(std::move(bytes));
}

} // namespace locara::cas
