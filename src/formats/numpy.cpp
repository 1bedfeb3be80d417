#include "numpy.hpp"

#include "cursor.hpp"

#include <algorithm>
#include <charconv>

namespace locara::formats {

namespace {

constexpr std::uint64_t kMaxHeader = 65'536;
constexpr unsigned kMaxDepth = 8;

Finding
finding(std::string_view rule, std::string reason, std::optional<std::uint64_t> offset = {}) {
    return Finding{"numpy." + std::string(rule), std::move(reason), offset};
}

std::string_view without_order(std::string_view code) {
    if (code.starts_with('<') || code.starts_with('>') || code.starts_with('|') ||
        code.starts_with('=')) {
        code.remove_prefix(1);
    }
    return code;
}

bool is_object_code(std::string_view code) {
    code = without_order(code);
    return code.starts_with("object") ||
           (code.starts_with('O') &&
            code.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

/// A type as NumPy writes it: a letter, bytes of an item, and of times a unit ("[ns]").
bool is_plain_code(std::string_view code) {
    code = without_order(code);
    if (code.empty() || std::string_view("?bBiufcSaUVmM").find(code[0]) == std::string_view::npos) {
        return false;
    }
    const bool time = code[0] == 'm' || code[0] == 'M';
    code.remove_prefix(std::min(code.find_first_not_of("0123456789", 1), code.size()));
    return code.empty() || (time && code.starts_with('[') && code.ends_with(']') &&
                            code.find_first_of(",'\"()") == std::string_view::npos);
}

/// A literal of Python: text, whole number, True, False, None, tuple, list. Dictionaries only at
/// the top. Nothing else parses.
class Literal {
  public:
    explicit Literal(std::string_view text) : rest_(text) {}

    std::string descr;                ///< Where it is a text.
    std::vector<std::uint64_t> shape; ///< Empty for a scalar.
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    bool objects = false; ///< A type that is one of objects, or in a record may be.

    bool parse() {
        if (!take('{')) {
            return false;
        }
        while (!take('}')) {
            std::string key;
            if (!text(key) || !take(':')) {
                return false;
            }
            bool good = false;
            if (key == "descr" && !has_descr) {
                has_descr = true;
                good = peek() == '[' ? record(0) : text(descr);
                objects = objects || is_object_code(descr);
            } else if (key == "fortran_order" && !has_order) {
                has_order = true;
                good = word("True") || word("False");
            } else if (key == "shape" && !has_shape) {
                has_shape = true;
                good = tuple();
            }
            if (!good || (!take(',') && peek() != '}')) {
                return false;
            }
        }
        blank();
        return rest_.empty() && has_descr && has_order && has_shape;
    }

  private:
    void blank() {
        while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) {
            rest_.remove_prefix(1);
        }
    }

    char peek() {
        blank();
        return rest_.empty() ? '\0' : rest_.front();
    }

    bool take(char c) {
        if (peek() != c || c == '\0') {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    bool word(std::string_view wanted) {
        blank();
        if (!rest_.starts_with(wanted)) {
            return false;
        }
        rest_.remove_prefix(wanted.size());
        return true;
    }

    bool text(std::string& out) {
        const char quote = peek();
        if (quote != '\'' && quote != '"') {
            return false;
        }
        const auto end = rest_.find(quote, 1);
        if (end == std::string_view::npos) {
            return false;
        }
        out = std::string(rest_.substr(1, end - 1));
        rest_.remove_prefix(end + 1);
        return out.find('\\') == std::string::npos;
    }

    bool whole(std::uint64_t& out) {
        blank();
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), out);
        if (error != std::errc()) {
            return false;
        }
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        if (rest_.starts_with("L")) { // Python 2
            rest_.remove_prefix(1);
        }
        return true;
    }

    bool tuple() {
        if (!take('(')) {
            return false;
        }
        while (!take(')')) {
            std::uint64_t extent = 0;
            if (!whole(extent) || (!take(',') && peek() != ')')) {
                return false;
            }
            shape.push_back(extent);
        }
        return shape.size() <= 64;
    }

    /// The fields of a record: (name, type) or (name, type, shape), where a name may be (title,
    /// name) and a type a record. Source: numpy.lib.format, dtype_to_descr.
    bool record(unsigned depth) {
        if (depth > kMaxDepth || !take('[')) {
            return false;
        }
        while (!take(']')) {
            if (!take('(') || !field_name() || !take(',')) {
                return false;
            }
            if (peek() == '[') {
                if (!record(depth + 1)) {
                    return false;
                }
            } else {
                std::string code;
                // What is no text here is a type of parts, which may be objects.
                const bool known = text(code) && is_plain_code(code);
                objects = objects || !known;
                if (!known) {
                    return false;
                }
            }
            if (take(',') && peek() != ')') {
                std::uint64_t ignored = 0;
                if (!(peek() == '(' ? extents() : whole(ignored))) {
                    return false;
                }
                take(',');
            }
            if (!take(')') || (!take(',') && peek() != ']')) {
                return false;
            }
        }
        return true;
    }

    bool field_name() {
        std::string ignored;
        if (peek() != '(') {
            return text(ignored);
        }
        return take('(') && text(ignored) && take(',') && text(ignored) && take(')');
    }

    bool extents() {
        std::uint64_t ignored = 0;
        if (!take('(')) {
            return false;
        }
        while (!take(')')) {
            if (!whole(ignored) || (!take(',') && peek() != ')')) {
                return false;
            }
        }
        return true;
    }

    std::string_view rest_;
};

} // namespace

Checked<NumpyArray> check_numpy(const ByteSource& source) {
    Cursor cursor(source, 6, 4096);
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    std::uint64_t length = 0;
    bool read = cursor.next(major) && cursor.next(minor);
    if (major == 1) {
        std::uint16_t word = 0;
        read = read && cursor.take_le(word);
        length = word;
    } else {
        std::uint32_t word = 0;
        read = read && cursor.take_le(word);
        length = word;
    }
    std::string header;
    if (read && (major < 1 || major > 3 || length > kMaxHeader)) {
        return tl::unexpected(
            finding("header", "the array's version or length of header is not allowed", 6));
    }
    if (!read || !cursor.take_text(length, header)) {
        return tl::unexpected(cursor.io_error() ? read_failure(*cursor.io_error())
                                                : finding("header", "the array is cut short", 6));
    }
    Literal literal(header);
    const bool parsed = literal.parse();
    if (literal.objects) {
        return tl::unexpected(finding(
            "object",
            "the array holds Python objects, stored as a pickle that can run code while loading",
            cursor.offset()));
    }
    if (!parsed) {
        return tl::unexpected(
            finding("header",
                    "the array's header is not the plain dictionary that the format asks for",
                    10));
    }
    if (literal.descr.empty()) {
        return NumpyArray::Record;
    }
    const std::string_view code = without_order(literal.descr);
    std::uint64_t item = 0;
    const char type = code.empty() ? '\0' : code[0];
    const std::string_view digits = code.substr(std::min<std::size_t>(1, code.size()));
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), item);
    const std::string_view unit =
        digits.substr(static_cast<std::size_t>(end - digits.data())); // "[ns]" of times
    if (std::string_view("?bBiufcSaUVmM").find(type) == std::string_view::npos || type == '\0' ||
        error != std::errc() || (!unit.empty() && type != 'm' && type != 'M')) {
        return tl::unexpected(
            finding("header",
                    "the array's type " + quote_for_message(literal.descr) + " is not known",
                    10));
    }
    bool fits = type != 'U' || checked_multiply(item, 4, item);
    for (const std::uint64_t extent : literal.shape) {
        fits = fits && checked_multiply(item, extent, item);
    }
    if (!fits || item != cursor.remaining()) {
        return tl::unexpected(finding("size",
                                      "the array's data is " + std::to_string(cursor.remaining()) +
                                          " bytes, not what its header says",
                                      cursor.offset()));
    }
    return NumpyArray::Plain;
}

} // namespace locara::formats
