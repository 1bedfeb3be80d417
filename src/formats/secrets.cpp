#include "secrets.hpp"

#include "cursor.hpp"

#include <locara/base/ascii.hpp>
#include <locara/base/bytes.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <vector>

#include <zlib.h>

namespace locara::formats {

namespace {

constexpr std::uint64_t kMaxBytes = 256U << 20U;
constexpr std::size_t kWindow = 1U << 20U;
constexpr std::size_t kMaxKey = 32U << 10U; // characters of one private key in PEM
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

enum class Letters { Alnum, AlnumDash, AlnumUnderscore, Url, Base32, Bech32, Hex };

enum class Proof {
    Random,       ///< Looks random.
    Crc32Base62,  ///< The last six are the CRC-32 of the rest, in base 62.
    OpenAiMarker, ///< Holds "T3BlbkFJ".
    EndsInAa,     ///< Ends in "AA".
};

struct Token {
    std::string_view service;
    std::string_view prefix;
    Letters letters;
    std::size_t least; // characters behind the prefix
    std::size_t most;
    Proof proof;
};

// Sources: each service's own documentation of its tokens; for the checksum "Behind GitHub's new
// authentication token formats" (github.blog, 2021) and npm's announcement of the same form.
constexpr Token kTokens[] = {
    {"GitHub", "ghp_", Letters::Alnum, 36, 36, Proof::Crc32Base62},
    {"GitHub", "gho_", Letters::Alnum, 36, 36, Proof::Crc32Base62},
    {"GitHub", "ghu_", Letters::Alnum, 36, 36, Proof::Crc32Base62},
    {"GitHub", "ghs_", Letters::Alnum, 36, 36, Proof::Crc32Base62},
    {"GitHub", "ghr_", Letters::Alnum, 36, 36, Proof::Crc32Base62},
    {"npm", "npm_", Letters::Alnum, 36, 36, Proof::Crc32Base62},
    {"GitHub", "github_pat_", Letters::AlnumUnderscore, 82, 82, Proof::Random},
    {"Hugging Face", "hf_", Letters::Alnum, 34, 34, Proof::Random},
    {"a Locara hub", "hf_", Letters::Hex, 40, 40, Proof::Random},
    {"AWS", "AKIA", Letters::Base32, 16, 16, Proof::Random},
    {"AWS", "ASIA", Letters::Base32, 16, 16, Proof::Random},
    {"Google", "AIza", Letters::Url, 35, 35, Proof::Random},
    {"Slack", "xoxb-", Letters::AlnumDash, 40, 90, Proof::Random},
    {"Slack", "xoxp-", Letters::AlnumDash, 40, 90, Proof::Random},
    {"Slack", "xapp-", Letters::AlnumDash, 60, 140, Proof::Random},
    {"SendGrid", "SG.", Letters::Url, 22, 22, Proof::Random}, // before its dot and the rest
    {"Google", "GOCSPX-", Letters::Url, 28, 28, Proof::Random},
    {"Replicate", "r8_", Letters::Alnum, 37, 37, Proof::Random},
    {"age", "AGE-SECRET-KEY-1", Letters::Bech32, 58, 58, Proof::Random},
    {"Stripe", "sk_live_", Letters::Alnum, 24, 99, Proof::Random},
    {"Stripe", "rk_live_", Letters::Alnum, 24, 99, Proof::Random},
    {"OpenAI", "sk-", Letters::Url, 40, 200, Proof::OpenAiMarker},
    {"Anthropic", "sk-ant-api03-", Letters::Url, 95, 95, Proof::EndsInAa},
    {"PyPI", "pypi-AgEIcHlwaS5vcmc", Letters::Url, 50, 250, Proof::Random},
    {"GitLab", "glpat-", Letters::Url, 20, 20, Proof::Random},
    {"GitLab", "glpat-", Letters::Url, 27, 300, Proof::Random}, // before its dot and checksum
    {"Docker", "dckr_pat_", Letters::Url, 27, 27, Proof::Random},
    {"DigitalOcean", "dop_v1_", Letters::Hex, 64, 64, Proof::Random},
};

constexpr std::string_view kPem = "-----BEGIN ";

bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_in(Letters letters, char c) {
    switch (letters) {
    case Letters::Alnum:
        return is_alnum(c);
    case Letters::AlnumDash:
        return is_alnum(c) || c == '-';
    case Letters::AlnumUnderscore:
        return is_alnum(c) || c == '_';
    case Letters::Url:
        return is_alnum(c) || c == '-' || c == '_';
    case Letters::Base32:
        return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7');
    case Letters::Bech32:
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    case Letters::Hex:
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    return false;
}

/// Whether a person has hardly typed this: many different characters, no runs such as "xxxx",
/// "1234" or "abcd", and no word that placeholders have.
bool looks_random(std::string_view body) {
    std::bitset<256> seen;
    unsigned same = 1;
    unsigned rising = 1;
    const std::string lower = ascii_lower(body);
    for (std::size_t i = 0; i < body.size(); ++i) {
        const char c = body[i];
        seen.set(static_cast<unsigned char>(c));
        same = i > 0 && lower[i] == lower[i - 1] ? same + 1 : 1;
        rising = i > 0 && lower[i] == lower[i - 1] + 1 ? rising + 1 : 1;
        // Keys are masked by x or 0; of other letters chance may write four in a row.
        const bool mask = lower[i] == 'x' || lower[i] == '0';
        if (same >= (mask ? 4U : 7U) || rising >= 5) {
            return false;
        }
    }
    for (const std::string_view word :
         {"example", "your", "token", "secret", "placeholder", "redacted", "dummy", "sample"}) {
        if (lower.find(word) != std::string::npos) {
            return false;
        }
    }
    return seen.count() >= std::min<std::size_t>(8, body.size() / 2);
}

bool has_checksum(std::string_view body) {
    static const std::string alphabet =
        std::string(kDigits) + std::string(kUpper) + "abcdefghijklmnopqrstuvwxyz";
    const std::string_view random = body.substr(0, body.size() - 6);
    auto crc = static_cast<std::uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(random.data()), random.size()));
    std::string sum(6, '0');
    for (std::size_t i = sum.size(); i-- > 0; crc /= 62) {
        sum[i] = alphabet[crc % 62];
    }
    return body.substr(random.size()) == sum;
}

bool is_proven(Proof proof, std::string_view body) {
    switch (proof) {
    case Proof::Random:
        return looks_random(body);
    case Proof::Crc32Base62:
        return has_checksum(body);
    case Proof::OpenAiMarker:
        return body.find("T3BlbkFJ") != std::string_view::npos && looks_random(body);
    case Proof::EndsInAa:
        return body.ends_with("AA") && looks_random(body);
    }
    return false;
}

std::optional<Finding> find_token(std::string_view text, std::size_t at) {
    for (const Token& token : kTokens) {
        if (text.substr(at, token.prefix.size()) != token.prefix) {
            continue;
        }
        const std::size_t begin = at + token.prefix.size();
        std::size_t end = begin;
        while (end < text.size() && end - begin <= token.most && is_in(token.letters, text[end])) {
            ++end;
        }
        const bool ends = end == text.size() || (!is_alnum(text[end]) && text[end] != '_');
        if (ends && end - begin >= token.least && end - begin <= token.most &&
            is_proven(token.proof, text.substr(begin, end - begin))) {
            return Finding{"secret.token",
                           "it holds what looks like an access token of " +
                               std::string(token.service) +
                               "; take it out, and have the service revoke it",
                           at};
        }
    }
    return std::nullopt;
}

/// Whether the bytes are one ASN.1 value (DER: tag SEQUENCE, length, exactly so many bytes).
bool is_der(std::string_view bytes) {
    if (bytes.size() < 32 || bytes[0] != '\x30') {
        return false;
    }
    const auto first = static_cast<unsigned char>(bytes[1]);
    if (first < 0x80) {
        return bytes.size() == 2U + first;
    }
    const std::size_t count = first & 0x7FU;
    if (count == 0 || count > 2) {
        return false;
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < count; ++i) {
        length = length * 256 + static_cast<unsigned char>(bytes[2 + i]);
    }
    return bytes.size() == 2 + count + length;
}

/// "-----BEGIN [words ]PRIVATE KEY-----" with a body that is a key and not a placeholder.
std::optional<Finding> find_private_key(std::string_view text, std::size_t at) {
    const std::size_t line = at + kPem.size();
    constexpr std::size_t kMaxKind = 40;
    const std::size_t words = text.substr(line, kMaxKind + 5).find("-----");
    if (words == std::string_view::npos) {
        return std::nullopt;
    }
    const std::size_t dashes = line + words;
    const std::string_view kind = text.substr(line, words);
    const bool pgp = kind == "PGP PRIVATE KEY BLOCK";
    if (!pgp && !kind.ends_with("PRIVATE KEY")) {
        return std::nullopt;
    }
    const std::size_t begin = dashes + 5;
    // The next dashes are those of the end: what else begins here is looked at by itself.
    const std::string_view body_text = text.substr(begin, kMaxKey);
    const std::size_t length = body_text.find("-----");
    if (length == std::string_view::npos || !text.substr(begin + length).starts_with("-----END")) {
        return std::nullopt;
    }
    std::string body;
    bool headers = false; // Proc-Type and DEK-Info of encrypted keys, Version of PGP
    const std::string_view rest = body_text.substr(0, length);
    for (std::size_t i = 0; i < rest.size(); ++i) {
        if (rest[i] == '\\' && i + 1 < rest.size()) { // in a string of JSON
            ++i;
        } else if (rest[i] == ':') {
            headers = true;
            body.clear();
            while (i < rest.size() && rest[i] != '\n' && rest[i] != '\\') {
                ++i;
            }
        } else if (is_alnum(rest[i]) || rest[i] == '+' || rest[i] == '/' || rest[i] == '=') {
            body += rest[i];
        } else if (rest[i] == '.') {
            return std::nullopt; // "..." stands for a key in documentation
        }
    }
    const auto bytes = parse_base64(body);
    const std::string_view raw = bytes ? as_text(*bytes) : std::string_view();
    const bool key = pgp || headers ? body.size() >= 100 && looks_random(body.substr(40, 60))
                                    : is_der(raw) || raw.starts_with("openssh-key-v1");
    if (!key) {
        return std::nullopt;
    }
    return Finding{"secret.private-key",
                   "it holds a private key; take it out, and replace the key wherever it is used",
                   at};
}

} // namespace

std::optional<Finding> find_secret(std::string_view text) {
    static const std::array<bool, 256> kFirst = [] {
        std::array<bool, 256> first{};
        first[static_cast<unsigned char>(kPem.front())] = true;
        for (const Token& token : kTokens) {
            first[static_cast<unsigned char>(token.prefix.front())] = true;
        }
        return first;
    }();
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (!kFirst[static_cast<unsigned char>(text[at])]) {
            continue;
        }
        if (text[at] == '-') {
            if (text.substr(at, kPem.size()) == kPem) {
                if (auto finding = find_private_key(text, at)) {
                    return finding;
                }
            }
            continue;
        }
        const bool inside = at > 0 && (is_alnum(text[at - 1]) || text[at - 1] == '_') &&
                            !(at > 1 && text[at - 2] == '\\'); // behind \n in a string
        if (inside) {
            continue;
        }
        if (auto finding = find_token(text, at)) {
            return finding;
        }
    }
    return std::nullopt;
}

Checked<std::optional<Finding>> find_secret(const ByteSource& source) {
    const std::uint64_t size = std::min(source.size(), kMaxBytes);
    std::string window;
    for (std::uint64_t offset = 0; offset < size; offset += kWindow) {
        const std::uint64_t begin = offset == 0 ? 0 : offset - kMaxKey;
        window.resize(static_cast<std::size_t>(std::min(size, offset + kWindow) - begin));
        if (auto status =
                source.read(begin, std::as_writable_bytes(std::span(window.data(), window.size())));
            !status) {
            return tl::unexpected(read_failure(status.error()));
        }
        if (auto finding = find_secret(window)) {
            finding->offset = begin + *finding->offset;
            return finding;
        }
    }
    return std::nullopt;
}

} // namespace locara::formats
