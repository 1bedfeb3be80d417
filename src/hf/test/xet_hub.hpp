// A hub with a chunk store for tests, over a WireServer: what it answers is made by the xet module
// from real chunks, and each answer can be spoiled on the way out.
//
// Not the product's hub: it keeps everything in memory and believes nothing it did not check.
#pragma once

#include "wire_server.hpp"

#include <locara/base/bytes.hpp>
#include <locara/hf/client.hpp>
#include <locara/xet/reconstruction.hpp>
#include <locara/xet/shard.hpp>
#include <locara/xet/xorb.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace locara::hf::test {

using locara::test::WireConnection;
using locara::test::WireRequest;
using locara::test::WireServer;

class XetHub {
  public:
    /// Xorbs of the files put in get at most this many raw bytes.
    explicit XetHub(std::uint64_t xorb_bytes = 256U << 10U);

    /// Puts a file in, cut into chunks; chunks that are here already are not stored again.
    /// `in_store` is its Xet hash.
    xet::FileHash add(const std::string& repo, const std::string& path, const std::string& text);

    std::string url() const { return server_.url(); }

    /// What a file of a repository has; from its xorbs if it came by Xet.
    std::string text_of(const std::string& repo, const std::string& path);

    /// How often something was asked for: "token", "plan", "shard", "data", "chunk", "has",
    /// "xorb", "put_shard", "commit", "resolve", "preupload", "paths", "create".
    int count(const std::string& what);

    /// The ranges of xorbs that were asked for, "first-last", in order.
    std::vector<std::string> data_ranges();

    /// Bytes of xorbs handed out, and taken in.
    std::uint64_t data_bytes();
    std::uint64_t xorb_bytes_taken();

    void forget_counts();

    // What it can and wants. Set before requests come.
    bool offers_xet = true;   ///< Tokens and X-Xet-Hash.
    bool has_shards = true;   ///< The extension of Locara hubs.
    bool has_v2 = true;       ///< Second form of plans and of shard uploads.
    bool knows_chunks = true; ///< Answers dedup questions.
    bool has_resolve = true;
    bool several_ranges = false; ///< Plans of the second form with one address a xorb.
    xet::DedupKey key;           ///< Under which dedup answers hide chunk hashes.
    std::int64_t token_seconds = 3600;
    std::string cas_url; ///< Empty: its own.
    std::string head = std::string(40, 'a');

    /// Called before each answer with what is asked for (as in `count`); true: it has answered.
    std::function<bool(const std::string&, const WireRequest&, WireConnection&)> before;
    /// May change bytes of a xorb on their way out.
    std::function<std::string(const xet::XorbHash&, std::string)> spoil_data;
    std::function<std::string(std::string)> spoil_plan;
    std::function<void(xet::Shard&)> spoil_shard;

    /// Requests that bore a token where none belongs, or none where one does.
    std::vector<std::string> token_faults();

  private:
    struct StoredXorb {
        Bytes bytes;
        xet::XorbTable table;
    };

    struct RepoFile {
        std::string text;                  ///< Of files that came inside a commit.
        std::optional<xet::FileHash> hash; ///< Of the others.
        std::optional<crypto::Sha256Digest> sha256;
    };

    void answer(const WireRequest& request, WireConnection& c);
    void answer_plan(const WireRequest& request, WireConnection& c, const std::string& target);
    void answer_data(const WireRequest& request, WireConnection& c, const std::string& target);
    void answer_resolve(const WireRequest& request, WireConnection& c);
    void take_xorb(const WireRequest& request, WireConnection& c, const std::string& hash);
    void take_shard(const WireRequest& request, WireConnection& c, bool second_form);
    void answer_preupload(const WireRequest& request, WireConnection& c, const std::string& repo);
    void take_commit(const WireRequest& request, WireConnection& c, const std::string& repo);
    const xet::XorbTable* find(const xet::XorbHash& hash) const;
    std::string rebuild(const xet::FileHash& hash) const;
    bool was_counted(const std::string& what, const WireRequest& request, WireConnection& c);

    const std::uint64_t limit_;
    std::mutex mutex_; ///< Guards what follows.
    std::map<xet::XorbHash, StoredXorb> xorbs_;
    std::map<xet::ChunkHash, std::pair<xet::XorbHash, std::uint32_t>> chunks_;
    std::map<xet::FileHash, xet::FileBlock> files_;
    std::map<std::string, RepoFile> repo_files_; ///< "repo path"
    std::map<std::string, int> counts_;
    std::vector<std::string> ranges_;
    std::vector<std::string> faults_;
    std::uint64_t data_bytes_ = 0;
    std::uint64_t taken_bytes_ = 0;
    int urls_ = 0;
    int tokens_ = 0;
    std::set<std::string> good_tokens_;

    WireServer server_; ///< Last: its threads use what stands above.
};

} // namespace locara::hf::test
