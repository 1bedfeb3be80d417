#include "yara_scanner.hpp"

#include <algorithm>
#include <array>

#include <yara.h>
#include <zlib.h>

namespace locara::gate {

namespace {

using formats::ByteSource;
using formats::Finding;

constexpr std::uint64_t kBlock = 4U << 20U;   // bytes held at once
constexpr std::uint64_t kOverlap = 8U << 10U; // more than any text of a rule can take
constexpr std::uint64_t kPerSecond = 32U << 20U;

std::string rule_name(std::string_view identifier) {
    std::string name = "yara." + std::string(identifier);
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

/// The content as YARA asks for it: blocks that overlap, so that what lies across two is found.
class Blocks {
  public:
    Blocks(const ByteSource& source, std::uint64_t bytes)
        : source_(source), bytes_(std::min(bytes, source.size())) {
        block_.context = this;
        block_.fetch_data = [](YR_MEMORY_BLOCK* block) {
            return static_cast<Blocks*>(block->context)->fetch();
        };
        iterator_.context = this;
        iterator_.first = [](YR_MEMORY_BLOCK_ITERATOR* self) {
            return static_cast<Blocks*>(self->context)->go_to(0);
        };
        iterator_.next = [](YR_MEMORY_BLOCK_ITERATOR* self) {
            auto* blocks = static_cast<Blocks*>(self->context);
            return blocks->block_.base + blocks->block_.size >= blocks->bytes_
                       ? nullptr
                       : blocks->go_to(blocks->block_.base + kBlock - kOverlap);
        };
        iterator_.file_size = [](YR_MEMORY_BLOCK_ITERATOR* self) {
            return static_cast<Blocks*>(self->context)->source_.size();
        };
        iterator_.last_error = ERROR_SUCCESS;
    }

    Blocks(const Blocks&) = delete;
    Blocks& operator=(const Blocks&) = delete;

    YR_MEMORY_BLOCK_ITERATOR* iterator() { return &iterator_; }

    const std::optional<Error>& error() const { return error_; }

  private:
    YR_MEMORY_BLOCK* go_to(std::uint64_t base) {
        iterator_.last_error = ERROR_SUCCESS;
        block_.base = base;
        block_.size = static_cast<std::size_t>(std::min(kBlock, bytes_ - base));
        return &block_;
    }

    const std::uint8_t* fetch() {
        if (held_ != block_.base || buffer_.size() != block_.size) {
            buffer_.resize(block_.size);
            held_ = block_.base;
            if (auto status = source_.read(block_.base, buffer_); !status) {
                error_ = status.error();
                buffer_.clear();
                return nullptr;
            }
        }
        return reinterpret_cast<const std::uint8_t*>(buffer_.data());
    }

    const ByteSource& source_;
    std::uint64_t bytes_;
    YR_MEMORY_BLOCK block_{};
    YR_MEMORY_BLOCK_ITERATOR iterator_{};
    Bytes buffer_;
    std::uint64_t held_ = ~0ULL;
    std::optional<Error> error_;
};

/// The library counts its users itself, but not from several threads.
class Library {
  public:
    static bool start() {
        static const bool started = yr_initialize() == ERROR_SUCCESS;
        return started;
    }
};

} // namespace

struct YaraScanner::State {
    YR_RULES* rules = nullptr;
    std::chrono::seconds time{5};
    std::string version;

    ~State() {
        if (rules != nullptr) {
            yr_rules_destroy(rules);
        }
    }
};

std::string yara_version(std::string_view rules) {
    const auto sum =
        crc32(0, reinterpret_cast<const Bytef*>(rules.data()), static_cast<uInt>(rules.size()));
    std::array<char, 9> digits{};
    std::snprintf(digits.data(), digits.size(), "%08lx", sum);
    return std::string(YR_VERSION) + ", rules " + digits.data();
}

YaraScanner::YaraScanner(std::unique_ptr<State> state) : state_(std::move(state)) {}

YaraScanner::~YaraScanner() = default;

Result<std::unique_ptr<YaraScanner>> YaraScanner::create(std::string_view rules,
                                                         std::chrono::seconds time) {
    YR_COMPILER* compiler = nullptr;
    if (!Library::start() || yr_compiler_create(&compiler) != ERROR_SUCCESS) {
        return Error(ErrorCode::Unavailable, "YARA does not start");
    }
    const std::unique_ptr<YR_COMPILER, void (*)(YR_COMPILER*)> owner(compiler, yr_compiler_destroy);
    std::string problem;
    yr_compiler_set_callback(
        compiler,
        [](int level, const char*, int line, const YR_RULE*, const char* message, void* user) {
            if (level == YARA_ERROR_LEVEL_ERROR) {
                auto& text = *static_cast<std::string*>(user);
                text +=
                    (text.empty() ? "line " : "; line ") + std::to_string(line) + ": " + message;
            }
        },
        &problem);
    auto state = std::make_unique<State>();
    state->time = time;
    if (yr_compiler_add_string(compiler, std::string(rules).c_str(), nullptr) != 0 ||
        yr_compiler_get_rules(compiler, &state->rules) != ERROR_SUCCESS) {
        return Error(ErrorCode::InvalidArgument, "the YARA rules do not compile: " + problem);
    }
    state->version = yara_version(rules);
    return std::unique_ptr<YaraScanner>(new YaraScanner(std::move(state)));
}

std::optional<Finding> YaraScanner::look(const ByteSource& content, std::uint64_t bytes) {
    if (content.size() == 0 || bytes == 0) {
        return std::nullopt;
    }

    struct Seen {
        std::vector<std::string> rules;
    } seen;

    Blocks blocks(content, bytes);
    const auto seconds = state_->time.count() + static_cast<std::int64_t>(bytes / kPerSecond);
    const int code = yr_rules_scan_mem_blocks(
        state_->rules,
        blocks.iterator(),
        SCAN_FLAGS_REPORT_RULES_MATCHING,
        [](YR_SCAN_CONTEXT*, int message, void* data, void* user) {
            if (message == CALLBACK_MSG_RULE_MATCHING) {
                static_cast<Seen*>(user)->rules.push_back(
                    rule_name(static_cast<YR_RULE*>(data)->identifier));
            }
            return CALLBACK_CONTINUE;
        },
        &seen,
        static_cast<int>(seconds));
    if (blocks.error()) {
        return Finding{std::string(formats::kRuleRead), blocks.error()->describe(), {}};
    }
    if (code != ERROR_SUCCESS) {
        return Finding{"yara.time",
                       code == ERROR_SCAN_TIMEOUT ? "the YARA rules take too long"
                                                  : "the YARA rules cannot look at it (error " +
                                                        std::to_string(code) + ")",
                       {}};
    }
    std::optional<Finding> worst;
    for (const std::string& name : seen.rules) {
        const formats::Rule* rule = formats::find_rule(name);
        Finding finding{
            name, rule == nullptr ? "a YARA rule matches" : std::string(rule->meaning), {}};
        if (!worst || formats::is_worse(formats::make_verdict("", finding),
                                        formats::make_verdict("", *worst))) {
            worst = std::move(finding);
        }
    }
    return worst;
}

std::string YaraScanner::version() const {
    return state_->version;
}

std::vector<std::string> YaraScanner::rule_names() const {
    std::vector<std::string> names;
    YR_RULE* rule = nullptr;
    yr_rules_foreach(state_->rules, rule) {
        names.push_back(rule_name(rule->identifier));
    }
    return names;
}

} // namespace locara::gate
