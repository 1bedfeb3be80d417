// Client of a chunk store's API (CAS): tokens, plans, shards, xorbs, dedup questions. Private to
// the module.
//
// Follows the CAS API of the Xet protocol specification v1.1, and one extension of Locara hubs:
// GET {cas}/v1/files/{file}/shard gives the file's own shard (docs/adr/0005-file-shards.md).
//
// The token belongs to the address that came with it: it is sent there and nowhere else, renewed a
// minute before it ends and when the store answers 401. Nothing else of the module sends it.
#pragma once

#include "endpoint.hpp"
#include "protocol.hpp"

#include <locara/base/bytes.hpp>
#include <locara/xet/merkle.hpp>
#include <locara/xet/reconstruction.hpp>
#include <locara/xet/shard.hpp>

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace locara::hf {

/// The failure that an answer of a chunk store, or of where it sends us, means. `what` was asked
/// for.
Failure
store_failure(const http::ResponseHead& head, std::string_view body, const std::string& what);

/// Thread-safe. The Endpoint must outlive it.
class CasClient {
  public:
    /// `token_url` is asked for tokens (with the endpoint's own token); `asked` is what they are
    /// for, in messages.
    CasClient(const Endpoint& endpoint, std::string token_url, Asked asked);

    /// Gets a token unless a good one is there: whether the server offers Xet at all. Errors: those
    /// of the hub (NotFound, Unauthorized, Forbidden, Unavailable, ...), Corrupt (not a token),
    /// Refused (a store without TLS behind a hub with it).
    Status open(const std::stop_token& stop);

    /// The plan of a file, or of its bytes `wanted`; checked to be one (xet::validate_plan). The
    /// store's second form, or its first where it has only that, or where the second would need
    /// requests of several ranges. NotFound: the store has no such file. Corrupt.
    Result<xet::Plan> get_plan(const xet::FileHash& file,
                               std::optional<xet::ByteRange> wanted,
                               const std::stop_token& stop);

    /// The file's own shard, which lies in `scratch` if it is long. Nothing where the store has no
    /// such route or file. Errors: NoSpace there, too.
    Result<std::optional<xet::StoredShard>> find_file_shard(const xet::FileHash& file,
                                                            const std::filesystem::path& scratch,
                                                            const std::stop_token& stop);

    /// What the store knows about a chunk: a shard of xorbs; nothing if it knows none.
    Result<std::optional<xet::Shard>> find_chunk(const xet::ChunkHash& chunk,
                                                 const std::stop_token& stop);

    /// Whether the store has the xorb and lets this client know. Stores that cannot tell say no.
    Result<bool> has_xorb(const xet::XorbHash& xorb, const std::stop_token& stop);

    /// Corrupt when the store finds the bytes wrong.
    Status put_xorb(const xet::XorbHash& xorb, ByteView bytes, const std::stop_token& stop);

    /// Registers files. `progress` gets chunks checked and chunks in all, if the store tells.
    Status put_shard(ByteView shard,
                     const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                     const std::stop_token& stop);

    /// Whether an address that a plan names may be asked: http or https, and not less safe than
    /// the store itself. Refused if not.
    Status check_data_url(const std::string& url) const;

    int retries() const { return retries_; }

  private:
    Result<XetToken> token(const std::stop_token& stop);
    void forget(const Secret& value);

    /// A body that goes to disk.
    struct Spilled;

    /// Sends to `path` below the store, with retries and a renewed token. 2xx, or the error that
    /// the answer means. `what` is what was asked for, in messages. With `spilled` the body of 2xx
    /// is there.
    Result<http::ClientResponse> call(http::ClientRequest request,
                                      const std::string& path,
                                      const std::string& what,
                                      const std::stop_token& stop,
                                      Spilled* spilled = nullptr);

    Result<xet::Plan> ask_plan(int version,
                               const xet::FileHash& file,
                               std::optional<xet::ByteRange> wanted,
                               const std::stop_token& stop);
    Status put_shard_v1(ByteView shard, const std::stop_token& stop);
    Status put_shard_v2(ByteView shard,
                        const std::function<void(std::uint64_t, std::uint64_t)>& progress,
                        const std::stop_token& stop);

    const Endpoint& endpoint_;
    const std::string token_url_;
    const Asked asked_;
    std::atomic<bool> plan_v1_only_ = false;
    std::atomic<int> retries_ = 0;

    mutable std::mutex mutex_;      ///< Guards what follows; held while a token is asked for.
    std::optional<XetToken> token_; ///< The last one; its store's address stays when it ends.
};

} // namespace locara::hf
