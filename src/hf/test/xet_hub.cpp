#include "xet_hub.hpp"

#include <locara/base/clock.hpp>
#include <locara/base/json.hpp>
#include <locara/xet/chunker.hpp>

namespace locara::hf::test {

namespace {

using locara::test::wire_range;

/// "/a/b/c?x" -> {"a", "b", "c"}
std::vector<std::string> segments_of(const std::string& target) {
    std::vector<std::string> result;
    const std::string path = target.substr(0, target.find('?'));
    std::size_t at = 1;
    while (at <= path.size()) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        result.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return result;
}

std::string json_headers(const std::string& more = "") {
    return "Content-Type: application/json\r\n" + more;
}

} // namespace

XetHub::XetHub(std::uint64_t xorb_bytes)
    : limit_(xorb_bytes),
      server_([this](const WireRequest& request, WireConnection& c) { answer(request, c); }) {}

const xet::XorbTable* XetHub::find(const xet::XorbHash& hash) const {
    const auto found = xorbs_.find(hash);
    return found == xorbs_.end() ? nullptr : &found->second.table;
}

xet::FileHash
XetHub::add(const std::string& repo, const std::string& path, const std::string& text) {
    const std::lock_guard guard(mutex_);
    const auto chunks = xet::chunk_bytes(as_bytes(text));
    xet::XorbBuilder builder;
    std::uint64_t raw = 0;
    const auto close = [&] {
        if (builder.empty()) {
            return;
        }
        xet::Xorb made = builder.finish();
        for (std::uint32_t i = 0; i < made.table.size(); ++i) {
            chunks_.emplace(made.table.info(i).hash, std::pair(made.hash, i));
        }
        xorbs_.emplace(made.hash, StoredXorb{std::move(made.bytes), std::move(made.table)});
        raw = 0;
    };
    std::set<xet::ChunkHash> filling;
    std::vector<xet::ChunkInfo> infos;
    for (const xet::Chunk& chunk : chunks) {
        infos.push_back(chunk.info());
        if (chunks_.contains(chunk.hash) || !filling.insert(chunk.hash).second) {
            continue;
        }
        if (raw + chunk.length > limit_) {
            close();
        }
        raw += chunk.length;
        builder.add(chunk.hash, as_bytes(text).subspan(chunk.offset, chunk.length)).value();
    }
    close();
    xet::FileBlock block;
    block.hash = xet::file_hash(infos);
    block.sha256 = crypto::sha256(as_bytes(text));
    for (const xet::Chunk& chunk : chunks) {
        const auto& [xorb, index] = chunks_.at(chunk.hash);
        if (!block.terms.empty() && block.terms.back().xorb == xorb &&
            block.terms.back().chunks.end == index) {
            ++block.terms.back().chunks.end;
            block.terms.back().raw_bytes += chunk.length;
        } else {
            block.terms.push_back({xorb, {index, index + 1}, chunk.length});
        }
    }
    files_[block.hash] = block;
    repo_files_[repo + " " + path] = {"", block.hash, block.sha256};
    return block.hash;
}

std::string XetHub::rebuild(const xet::FileHash& hash) const {
    std::string text;
    for (const xet::FileTerm& term : files_.at(hash).terms) {
        const StoredXorb& xorb = xorbs_.at(term.xorb);
        xet::XorbReader reader([&](const xet::XorbReader::Chunk& chunk) -> Status {
            if (chunk.index >= term.chunks.begin && chunk.index < term.chunks.end) {
                text += as_text(chunk.raw);
            }
            return {};
        });
        reader.update(xorb.bytes).value();
    }
    return text;
}

std::string XetHub::text_of(const std::string& repo, const std::string& path) {
    const std::lock_guard guard(mutex_);
    const RepoFile& file = repo_files_.at(repo + " " + path);
    return file.hash ? rebuild(*file.hash) : file.text;
}

int XetHub::count(const std::string& what) {
    const std::lock_guard guard(mutex_);
    return counts_[what];
}

std::vector<std::string> XetHub::data_ranges() {
    const std::lock_guard guard(mutex_);
    return ranges_;
}

std::uint64_t XetHub::data_bytes() {
    const std::lock_guard guard(mutex_);
    return data_bytes_;
}

std::uint64_t XetHub::xorb_bytes_taken() {
    const std::lock_guard guard(mutex_);
    return taken_bytes_;
}

std::vector<std::string> XetHub::token_faults() {
    const std::lock_guard guard(mutex_);
    return faults_;
}

void XetHub::forget_counts() {
    const std::lock_guard guard(mutex_);
    counts_.clear();
    ranges_.clear();
    data_bytes_ = 0;
    taken_bytes_ = 0;
}

bool XetHub::was_counted(const std::string& what, const WireRequest& request, WireConnection& c) {
    {
        const std::lock_guard guard(mutex_);
        ++counts_[what];
    }
    return before && before(what, request, c);
}

void XetHub::answer(const WireRequest& request, WireConnection& c) {
    const auto at = segments_of(request.target);
    const auto is = [&](std::initializer_list<const char*> words) {
        std::size_t i = 0;
        for (const char* word : words) {
            if (i >= at.size() || (word[0] != '*' && at[i] != word)) {
                return false;
            }
            ++i;
        }
        return true;
    };
    const auto absent = [&] { c.answer(404, "{\"error\":\"not here\"}", json_headers()); };
    const bool below_cas = is({"cas"});
    if (below_cas) {
        const std::lock_guard guard(mutex_);
        if (!good_tokens_.contains(request.header("authorization"))) {
            faults_.push_back(request.target + " with '" + request.header("authorization") + "'");
        }
    }
    if (is({"api", "*", "*", "*"}) && at.size() >= 5 && at[4].starts_with("xet-")) {
        if (was_counted("token", request, c)) {
            return;
        }
        if (!offers_xet) {
            return absent();
        }
        std::string token;
        {
            const std::lock_guard guard(mutex_);
            token = "xet_" + std::to_string(++tokens_);
            good_tokens_.insert("Bearer " + token);
        }
        const auto now = system_clock().now().time_since_epoch().count();
        c.answer(200,
                 render_json(Json{{"casUrl", cas_url.empty() ? url() + "/cas" : cas_url},
                                  {"accessToken", token},
                                  {"exp", now + token_seconds}}),
                 json_headers());
    } else if (is({"cas", "v1", "files", "*", "shard"})) {
        if (was_counted("shard", request, c)) {
            return;
        }
        const std::lock_guard guard(mutex_);
        const auto file = files_.find(xet::FileHash::parse(at[3]).value());
        if (!has_shards || file == files_.end()) {
            return absent();
        }
        xet::Shard shard;
        shard.files.push_back(file->second);
        std::set<xet::XorbHash> named;
        for (const xet::FileTerm& term : file->second.terms) {
            if (named.insert(term.xorb).second) {
                shard.xorbs.push_back(xet::make_xorb_block(term.xorb, *find(term.xorb)));
            }
        }
        shard.footer = xet::ShardFooter{};
        if (spoil_shard) {
            spoil_shard(shard);
        }
        c.answer(200, as_text(xet::render_shard(shard).value()));
    } else if (is({"cas", "*", "reconstructions", "*"})) {
        if (was_counted("plan", request, c)) {
            return;
        }
        answer_plan(request, c, request.target);
    } else if (is({"data", "*"})) {
        if (was_counted("data", request, c)) {
            return;
        }
        answer_data(request, c, at[1]);
    } else if (is({"cas", "v1", "chunks", "*", "*"})) {
        if (was_counted("chunk", request, c)) {
            return;
        }
        const std::lock_guard guard(mutex_);
        const auto chunk = chunks_.find(xet::ChunkHash::parse(at[4]).value());
        if (!knows_chunks || chunk == chunks_.end()) {
            return absent();
        }
        const xet::XorbHash& xorb = chunk->second.first;
        const auto answer = xet::make_dedup_answer({xet::make_xorb_block(xorb, *find(xorb))},
                                                   {key, 1, 4'000'000'000});
        c.answer(200, as_text(xet::render_shard(answer, xet::Lookups::With).value()));
    } else if (is({"cas", "v1", "xorbs", "*", "*"})) {
        if (request.method == "HEAD") {
            if (was_counted("has", request, c)) {
                return;
            }
            const std::lock_guard guard(mutex_);
            const bool here = xorbs_.contains(xet::XorbHash::parse(at[4]).value());
            c.send("HTTP/1.1 " + std::string(here ? "200" : "404") +
                   " X\r\nContent-Length: 0\r\n\r\n");
        } else if (!was_counted("xorb", request, c)) {
            take_xorb(request, c, at[4]);
        }
    } else if (is({"cas", "*", "shards"})) {
        if (!was_counted("put_shard", request, c)) {
            take_shard(request, c, at[1] == "v2");
        }
    } else if (is({"api", "repos", "create"})) {
        if (!was_counted("create", request, c)) {
            c.answer(200, "{}", json_headers());
        }
    } else if (is({"api", "*", "*", "*", "preupload"})) {
        if (!was_counted("preupload", request, c)) {
            answer_preupload(request, c, at[2] + "/" + at[3]);
        }
    } else if (is({"api", "*", "*", "*", "paths-info"})) {
        if (was_counted("paths", request, c)) {
            return;
        }
        Json list = Json::array();
        const std::lock_guard guard(mutex_);
        const Json asked = parse_json(request.body).value();
        for (const Json& path : asked.at("paths")) {
            const auto file = repo_files_.find(at[2] + "/" + at[3] + " " + path.get<std::string>());
            if (file != repo_files_.end() && file->second.hash) {
                list.push_back({{"type", "file"},
                                {"path", path},
                                {"size", files_.at(*file->second.hash).size()},
                                {"xetHash", file->second.hash->render()}});
            }
        }
        c.answer(200, render_json(list), json_headers());
    } else if (is({"api", "*", "*", "*", "commit"})) {
        if (!was_counted("commit", request, c)) {
            take_commit(request, c, at[2] + "/" + at[3]);
        }
    } else if (is({"*", "*", "resolve", "*", "*"})) {
        if (!was_counted("resolve", request, c)) {
            answer_resolve(request, c);
        }
    } else {
        absent();
    }
}

void XetHub::answer_plan(const WireRequest& request, WireConnection& c, const std::string& target) {
    const auto at = segments_of(target);
    const bool second = at[1] == "v2";
    const std::lock_guard guard(mutex_);
    const auto file = files_.find(xet::FileHash::parse(at[3]).value());
    if (file == files_.end() || (second && !has_v2)) {
        c.answer(404, "{}", json_headers());
        return;
    }
    std::optional<xet::ByteRange> wanted;
    std::size_t first = 0;
    std::size_t last = 0;
    if (wire_range(request, file->second.size(), first, last)) {
        wanted = xet::ByteRange{first, last + 1};
    }
    auto plan = xet::make_plan(
        file->second,
        wanted,
        [this](const xet::XorbHash& hash) { return find(hash); },
        [this](const xet::XorbHash& hash, const xet::FetchRange&) {
            return url() + "/data/" + hash.render() + "?n=" + std::to_string(++urls_);
        });
    if (!plan) {
        c.answer(416, "{}", json_headers());
        return;
    }
    if (several_ranges && second) {
        for (xet::XorbFetch& xorb : plan->xorbs) {
            for (std::size_t i = 1; i < xorb.entries.size(); ++i) {
                xorb.entries[0].ranges.push_back(xorb.entries[i].ranges[0]);
            }
            xorb.entries.resize(1);
        }
    }
    std::string json = second ? xet::render_plan_v2(*plan) : xet::render_plan_v1(*plan);
    c.answer(200, spoil_plan ? spoil_plan(std::move(json)) : json, json_headers());
}

void XetHub::answer_data(const WireRequest& request, WireConnection& c, const std::string& target) {
    std::string text;
    xet::XorbHash hash;
    std::size_t first = 0;
    std::size_t last = 0;
    {
        const std::lock_guard guard(mutex_);
        if (!request.header("authorization").empty()) {
            faults_.push_back(request.target + " with a token");
        }
        hash = xet::XorbHash::parse(target).value();
        const std::string all(as_text(xorbs_.at(hash).bytes));
        if (!wire_range(request, all.size(), first, last)) {
            first = 0;
            last = all.size() - 1;
        }
        ranges_.push_back(std::to_string(first) + "-" + std::to_string(last));
        data_bytes_ += last - first + 1;
        text = all.substr(first, last - first + 1);
    }
    const std::string range =
        "Content-Range: bytes " + std::to_string(first) + "-" + std::to_string(last) + "/*\r\n";
    c.answer(206, spoil_data ? spoil_data(hash, std::move(text)) : text, range);
}

void XetHub::answer_resolve(const WireRequest& request, WireConnection& c) {
    const auto at = segments_of(request.target);
    std::string path = at[4];
    for (std::size_t i = 5; i < at.size(); ++i) {
        path += "/" + at[i];
    }
    std::string text;
    std::string headers = "X-Repo-Commit: " + at[3] + "\r\n";
    {
        const std::lock_guard guard(mutex_);
        const auto file = repo_files_.find(at[0] + "/" + at[1] + " " + path);
        if (!has_resolve || file == repo_files_.end()) {
            c.answer(404, "{}", json_headers("X-Error-Code: EntryNotFound\r\n"));
            return;
        }
        const RepoFile& found = file->second;
        text = found.hash ? rebuild(*found.hash) : found.text;
        if (found.hash && offers_xet) {
            headers += "X-Xet-Hash: " + found.hash->render() + "\r\n";
        }
    }
    if (offers_xet && request.header("accept").find("vnd.xet-fileinfo+json") != std::string::npos) {
        c.answer(200, "{}", headers + "Content-Type: application/vnd.xet-fileinfo+json\r\n");
        return;
    }
    locara::test::answer_file(request, c, text, headers);
}

void XetHub::take_xorb(const WireRequest& request, WireConnection& c, const std::string& name) {
    const auto hash = xet::XorbHash::parse(name).value();
    auto table = xet::verify_xorb(as_bytes(request.body), hash);
    if (!table) {
        c.answer(400, "{\"error\":\"" + table.error().message() + "\"}", json_headers());
        return;
    }
    const std::lock_guard guard(mutex_);
    taken_bytes_ += request.body.size();
    const ByteView bytes = as_bytes(request.body);
    xorbs_.emplace(hash, StoredXorb{Bytes(bytes.begin(), bytes.end()), *std::move(table)});
    c.answer(200, "{\"was_inserted\":true}", json_headers());
}

void XetHub::take_shard(const WireRequest& request, WireConnection& c, bool second_form) {
    if (second_form && !has_v2) {
        c.answer(404, "{}", json_headers());
        return;
    }
    const auto shard = xet::parse_shard(as_bytes(request.body));
    const std::lock_guard guard(mutex_);
    Status good = shard ? Status{} : Status(shard.error());
    if (shard) {
        for (const xet::FileBlock& file : shard->files) {
            if (good) {
                good = xet::verify_file(
                    file,
                    [this](const xet::XorbHash& hash) { return find(hash); },
                    xet::Proofs::Required);
            }
        }
    }
    if (!good) {
        const int status = good.error().code() == ErrorCode::NotFound ? 404 : 400;
        c.answer(status, render_json(Json{{"error", good.error().describe()}}), json_headers());
        return;
    }
    for (const xet::FileBlock& file : shard->files) {
        files_[file.hash] = file;
        if (!file.sha256 || crypto::sha256(as_bytes(rebuild(file.hash))) != *file.sha256) {
            c.answer(400, "{\"error\":\"wrong SHA-256\"}", json_headers());
            return;
        }
        for (const xet::FileTerm& term : file.terms) {
            for (std::uint32_t i = term.chunks.begin; i < term.chunks.end; ++i) {
                chunks_.emplace(find(term.xorb)->info(i).hash, std::pair(term.xorb, i));
            }
        }
    }
    if (second_form) {
        c.answer(200,
                 "{\"type\":\"validating\",\"verified\":1,\"total\":2}\n"
                 "{\"type\":\"committing\",\"stage\":\"syncing\"}\n{\"type\":\"result\"}\n");
    } else {
        c.answer(200, "{\"result\":1}", json_headers());
    }
}

void XetHub::answer_preupload(const WireRequest& request,
                              WireConnection& c,
                              const std::string& repo) {
    const Json asked = parse_json(request.body).value();
    Json files = Json::array();
    const std::lock_guard guard(mutex_);
    for (const Json& file : asked.at("files")) {
        const std::string path = file.at("path").get<std::string>();
        Json one{{"path", path},
                 {"uploadMode", path.ends_with(".txt") ? "regular" : "lfs"},
                 {"shouldIgnore", path.ends_with(".tmp")}};
        const auto there = repo_files_.find(repo + " " + path);
        if (there != repo_files_.end() && there->second.sha256) {
            one["oid"] = there->second.sha256->render();
        }
        files.push_back(std::move(one));
    }
    c.answer(200, render_json(Json{{"files", files}, {"commitOid", head}}), json_headers());
}

void XetHub::take_commit(const WireRequest& request, WireConnection& c, const std::string& repo) {
    std::string_view rest = request.body;
    const std::lock_guard guard(mutex_);
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        const Json line = parse_json(rest.substr(0, end)).value();
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        const std::string kind = line.at("key").get<std::string>();
        const Json& value = line.at("value");
        if (kind == "header") {
            if (value.contains("parentCommit") && value.at("parentCommit") != head) {
                c.answer(412, "{\"error\":\"The branch was updated\"}", json_headers());
                return;
            }
            continue;
        }
        RepoFile file;
        if (kind == "file") {
            const Bytes content =
                parse_base64(value.at("content").get_ref<const std::string&>()).value();
            file.text = as_text(content);
        } else {
            const auto oid =
                crypto::Sha256Digest::parse(value.at("oid").get_ref<const std::string&>()).value();
            for (const auto& [hash, block] : files_) {
                if (block.sha256 == oid) {
                    file.hash = hash;
                }
            }
            if (!file.hash) {
                c.answer(400, "{\"error\":\"no such object\"}", json_headers());
                return;
            }
            file.sha256 = oid;
        }
        repo_files_[repo + " " + value.at("path").get<std::string>()] = std::move(file);
    }
    head = std::string(40, static_cast<char>(head[0] == 'f' ? 'a' : head[0] + 1));
    c.answer(200,
             render_json(Json{{"success", true},
                              {"commitOid", head},
                              {"commitUrl", url() + "/" + repo + "/commit/" + head}}),
             json_headers());
}

} // namespace locara::hf::test
