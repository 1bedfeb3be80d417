#include "hash_tree.hpp"

#include <locara/xet/subtree.hpp>

#include <string>
#include <utility>

namespace locara::xet {

namespace {

using Nodes = std::vector<ChunkInfo>;
using NodeSpan = std::span<const ChunkInfo>;

void append(Nodes& out, NodeSpan nodes) {
    out.insert(out.end(), nodes.begin(), nodes.end());
}

/// Whether the boundary after the second of two neighbouring natural cuts, this far apart, is one
/// whatever stands before (docs/formats/xet-hashes.md, "Stable boundary").
bool is_stable_gap(std::size_t gap) {
    return gap >= kMinGroup && gap + 2 <= kMaxGroup;
}

/// Finds, in the order of `next`, three neighbouring natural cuts with stable gaps; the answer is
/// the boundary after the middle one. `next` gives indices or nothing at the end.
template <class Next> std::optional<std::size_t> find_stable(Next next) {
    std::optional<std::size_t> first;
    std::optional<std::size_t> second;
    while (const std::optional<std::size_t> third = next()) {
        const auto gap = [](std::size_t a, std::size_t b) { return a < b ? b - a : a - b; };
        if (first && second && is_stable_gap(gap(*first, *second)) &&
            is_stable_gap(gap(*second, *third))) {
            return *second + 1;
        }
        first = second;
        second = third;
    }
    return std::nullopt;
}

std::optional<std::size_t> find_stable_start(NodeSpan nodes) {
    std::size_t at = 0;
    return find_stable([&]() -> std::optional<std::size_t> {
        while (at < nodes.size() && !is_natural_cut(nodes[at])) {
            ++at;
        }
        return at < nodes.size() ? std::optional(at++) : std::nullopt;
    });
}

std::optional<std::size_t> find_stable_end(NodeSpan nodes) {
    std::size_t end = nodes.size();
    return find_stable([&]() -> std::optional<std::size_t> {
        while (end > 0 && !is_natural_cut(nodes[end - 1])) {
            --end;
        }
        return end > 0 ? std::optional(--end) : std::nullopt;
    });
}

/// Whether the place before the first node, or after the last, is a boundary for sure.
enum class Edge { Open, Boundary };

/// The part of `nodes` that can be grouped now; empty if none.
struct Stable {
    std::size_t begin = 0;
    std::size_t end = 0;
};

Stable find_stable_part(NodeSpan nodes, Edge before, Edge after) {
    Stable part{0, nodes.size()};
    if (before == Edge::Open) {
        const auto found = find_stable_start(nodes);
        if (!found) {
            return {};
        }
        part.begin = *found;
    }
    if (after == Edge::Open) {
        const auto found = find_stable_end(nodes.subspan(part.begin));
        if (!found) {
            return {};
        }
        part.end = part.begin + *found;
    }
    return part;
}

Nodes group(NodeSpan nodes) {
    Nodes joined;
    std::string text;
    while (!nodes.empty()) {
        const std::size_t count = next_group(nodes);
        joined.push_back(join_group(nodes.first(count), text));
        nodes = nodes.subspan(count);
    }
    return joined;
}

Error invalid(std::string what) {
    return {ErrorCode::InvalidArgument, "not a hash subtree: " + std::move(what)};
}

} // namespace

HashSubtree
HashSubtree::from_chunks(AtStart at_start, std::span<const ChunkInfo> chunks, AtEnd at_end) {
    HashSubtree run;
    run.levels_.push_back({Nodes(chunks.begin(), chunks.end()), {}});
    // A run of raw chunks is a run whose top is the lowest level; joining it to nothing groups it.
    HashSubtree nothing;
    nothing.at_end_ = at_end;
    run.at_start_ = at_start;
    LOCARA_ASSERT(run.merge(nothing).has_value());
    return run;
}

Status HashSubtree::merge(const HashSubtree& next) {
    if (at_end_ == AtEnd::Yes || next.at_start_ == AtStart::Yes) {
        return Error(ErrorCode::InvalidArgument,
                     "only runs of chunks that follow each other can be joined");
    }
    LOCARA_ASSERT(this != &next);
    const bool starts = at_start_ == AtStart::Yes;
    const bool ends = next.at_end_ == AtEnd::Yes;
    // Whether a run is grouped at this level: its groups are nodes of the one above.
    const auto grouped = [](const HashSubtree& run, std::size_t level) {
        return level + 1 < run.levels_.size();
    };
    std::vector<Level> merged;
    Nodes carry; // what the level below made in the middle
    for (std::size_t level = 0;; ++level) {
        const bool left_grouped = grouped(*this, level);
        const bool right_grouped = grouped(next, level);
        Level out;
        Nodes middle;
        if (left_grouped) {
            out.left = std::move(levels_[level].left);
            middle = std::move(levels_[level].right);
        } else if (level < levels_.size()) {
            middle = std::move(levels_[level].left);
        }
        append(middle, carry);
        carry.clear();
        if (level < next.levels_.size()) {
            append(middle, next.levels_[level].left);
        }
        if (right_grouped) {
            out.right = next.levels_[level].right;
        }
        const bool top = !left_grouped && !right_grouped;
        if (top && middle.size() <= 1) { // a single node is its own root
            out.left = std::move(middle);
            merged.push_back(std::move(out));
            break;
        }
        const NodeSpan all = middle;
        const Stable part = find_stable_part(all,
                                             starts || left_grouped ? Edge::Boundary : Edge::Open,
                                             ends || right_grouped ? Edge::Boundary : Edge::Open);
        if (part.begin == part.end) { // nothing new to group
            // It stands after the groups of the left run, or before those of the right one. (When
            // both are grouped, both edges are boundaries, and there is something.)
            append(left_grouped ? out.right : out.left, all);
            merged.push_back(std::move(out));
            if (top) {
                break;
            }
            continue;
        }
        carry = group(all.subspan(part.begin, part.end - part.begin));
        // A run that is grouped bounds the middle, so one of these is empty then.
        append(out.left, all.first(part.begin));
        out.right.insert(
            out.right.begin(), all.begin() + static_cast<std::ptrdiff_t>(part.end), all.end());
        merged.push_back(std::move(out));
    }
    levels_ = std::move(merged);
    at_end_ = next.at_end_;
    return {};
}

std::optional<XorbHash> HashSubtree::root() const {
    if (at_start_ == AtStart::No || at_end_ == AtEnd::No) {
        return std::nullopt;
    }
    // Both edges are boundaries at every level, so only the root is left.
    if (levels_.empty() || levels_.back().left.empty()) {
        return XorbHash{};
    }
    return XorbHash{levels_.back().left.front().hash.bytes};
}

std::size_t HashSubtree::nodes() const {
    std::size_t count = 0;
    for (const Level& level : levels_) {
        count += level.left.size() + level.right.size();
    }
    return count;
}

// --- JSON ---------------------------------------------------------------------------------------

Json HashSubtree::render() const {
    Json nodes = Json::array();
    const auto add = [&nodes](const Nodes& list) {
        for (const ChunkInfo& node : list) {
            nodes.push_back({{"hash", node.hash.render()}, {"size", node.size}});
        }
    };
    Json levels = Json::array();
    for (const Level& level : levels_) {
        add(level.left);
        levels.push_back(Json::array({level.left.size(), level.right.size()}));
    }
    for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
        add(level->right);
    }
    return {{"nodes", std::move(nodes)},
            {"levels", std::move(levels)},
            {"at_start", at_start_ == AtStart::Yes},
            {"at_end", at_end_ == AtEnd::Yes}};
}

namespace {

/// The member of an object, null if there is none.
const Json* find(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
}

bool is_count(const Json& json) {
    return json.is_number_unsigned() && json.get<std::uint64_t>() <= kMaxSubtreeNodes;
}

Result<ChunkInfo> parse_node(const Json& json) {
    const Json* hash = json.is_object() ? find(json, "hash") : nullptr;
    const Json* size = json.is_object() ? find(json, "size") : nullptr;
    if (hash == nullptr || !hash->is_string() || size == nullptr || !size->is_number_unsigned()) {
        return invalid("a node is {\"hash\": string, \"size\": number}");
    }
    LOCARA_TRY(const auto value, ChunkHash::parse(hash->get_ref<const std::string&>()));
    return ChunkInfo{value, size->get<std::uint64_t>()};
}

} // namespace

Result<HashSubtree> HashSubtree::parse(const Json& json) {
    if (!json.is_object()) {
        return invalid("an object is wanted");
    }
    const Json* nodes = find(json, "nodes");
    const Json* levels = find(json, "levels");
    const Json* at_start = find(json, "at_start");
    const Json* at_end = find(json, "at_end");
    if (nodes == nullptr || !nodes->is_array() || levels == nullptr || !levels->is_array() ||
        at_start == nullptr || !at_start->is_boolean() || at_end == nullptr ||
        !at_end->is_boolean()) {
        return invalid("nodes, levels, at_start and at_end are wanted");
    }
    if (nodes->size() > kMaxSubtreeNodes || levels->size() > kMaxSubtreeLevels) {
        return Error(ErrorCode::TooLarge,
                     "a hash subtree has at most " + std::to_string(kMaxSubtreeNodes) +
                         " nodes and " + std::to_string(kMaxSubtreeLevels) + " levels");
    }
    HashSubtree run;
    run.at_start_ = at_start->get<bool>() ? AtStart::Yes : AtStart::No;
    run.at_end_ = at_end->get<bool>() ? AtEnd::Yes : AtEnd::No;
    run.levels_.resize(levels->size());
    std::size_t total = 0;
    for (const Json& counts : *levels) {
        if (!counts.is_array() || counts.size() != 2 || !is_count(counts[0]) ||
            !is_count(counts[1])) {
            return invalid("a level is [left, right]");
        }
        total += counts[0].get<std::size_t>() + counts[1].get<std::size_t>();
    }
    if (total != nodes->size()) {
        return invalid("the levels count " + std::to_string(total) + " nodes, " +
                       std::to_string(nodes->size()) + " are there");
    }
    auto next = nodes->begin();
    const auto take = [&next](Nodes& list, std::size_t count) -> Status {
        for (std::size_t i = 0; i < count; ++i) {
            LOCARA_TRY(const auto node, parse_node(*next++));
            list.push_back(node);
        }
        return {};
    };
    for (std::size_t i = 0; i < levels->size(); ++i) {
        LOCARA_CHECK(take(run.levels_[i].left, (*levels)[i][0].get<std::size_t>()));
    }
    for (std::size_t i = levels->size(); i-- > 0;) {
        LOCARA_CHECK(take(run.levels_[i].right, (*levels)[i][1].get<std::size_t>()));
    }
    LOCARA_CHECK(run.tidy());
    return run;
}

Status HashSubtree::tidy() {
    const bool starts = at_start_ == AtStart::Yes;
    const bool ends = at_end_ == AtEnd::Yes;
    for (std::size_t i = 0; i + 1 < levels_.size(); ++i) {
        Level& level = levels_[i];
        if (level.right.empty() && !ends) {
            // The reference joins both parts on the left when a merge finds nothing to group.
            const auto found =
                starts ? std::optional<std::size_t>(0) : find_stable_start(level.left);
            if (!found) {
                return invalid("level " + std::to_string(i) + " has no stable boundary");
            }
            const auto cut = level.left.begin() + static_cast<std::ptrdiff_t>(*found);
            level.right.assign(cut, level.left.end());
            level.left.erase(cut, level.left.end());
        }
        if (level.left.empty() != starts || level.right.empty() != ends) {
            return invalid("level " + std::to_string(i) +
                           " has nodes past an end of the whole, or none before it");
        }
    }
    if (!levels_.empty() && !levels_.back().right.empty()) {
        return invalid("the top level has a right part");
    }
    if (levels_.size() > 1 && levels_.back().left.empty()) {
        return invalid("the top level has no nodes");
    }
    if (starts && ends && !levels_.empty() && levels_.back().left.size() > 1) {
        return invalid("a whole has one root");
    }
    return {};
}

void FileHasher::join(AtEnd at_end) {
    LOCARA_ASSERT(
        joined_.merge(HashSubtree::from_chunks(AtStart::No, waiting_, at_end)).has_value());
    waiting_.clear();
}

FileHash FileHasher::finish(const FileSalt& salt) {
    join(AtEnd::Yes);
    const XorbHash root = joined_.root().value(); // it has both ends now
    return root.is_zero() ? FileHash{} : file_hash_of_root(root, salt);
}

} // namespace locara::xet
