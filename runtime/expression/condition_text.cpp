#include "runtime/expression/condition_text.hpp"

#include "messages/value/excerpt.hpp"

#include <algorithm>

namespace finstream {

namespace {

constexpr std::size_t max_shown_bytes = 200; // of a condition in an error message

bool is_number_part(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class reader {
public:
  explicit reader(std::string_view condition) : in_{condition} { out_.engine_text = condition; }

  expected<condition_text> read() {
    while (at_ < in_.size() && why_.empty()) read_token();
    if (why_.empty() && compared_.size() > 1) refuse(open_.back(), "this `(` is never closed");
    if (!why_.empty()) return fail_in_condition(in_, wrong_at_ + 1, why_);
    return out_;
  }

private:
  void refuse(std::size_t at, std::string why) { wrong_at_ = at, why_ = std::move(why); }
  char look(std::size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }

  void read_token() {
    auto c = look();
    if (is_blank(c)) {
      out_.engine_text[at_++] = ' ';
    } else if (is_letter(c)) {
      read_name();
    } else if (is_number_part(c) || (c == '.' && is_number_part(look(1)))) {
      read_number();
    } else {
      read_sign();
    }
  }

  void read_name() {
    auto begin = at_;
    while (is_letter(look()) || is_number_part(look()) || (look() == '.' && is_letter(look(1)))) ++at_;
    auto name = in_.substr(begin, at_ - begin);
    if (name == "and" || name == "or") return read_word_operator(begin, name);
    if (name == "not") return refuse(begin, "`not` is written `!(...)` here");
    auto next = in_.find_first_not_of(" \t\r\n", at_);
    auto called = next != in_.npos && in_[next] == '(';
    if (called != is_condition_function(name))
      return refuse(begin, "`" + excerpt(name) + "` " +
                             (called ? "is no function" : "is a function: write `" + std::string{name} + "(...)`"));
    if (called) return;
    out_.names.push_back({name, begin + 1});
    auto plain = without_dots(name);
    std::copy(plain.begin(), plain.end(), out_.engine_text.begin() + static_cast<std::ptrdiff_t>(begin));
  }

  // `and` and `or` are what many write; the engine knows signs only. All are two letters wide but the blank after them.
  void read_word_operator(std::size_t begin, std::string_view name) {
    std::string sign = name == "and" ? "&& " : "||";
    std::copy(sign.begin(), sign.end(), out_.engine_text.begin() + static_cast<std::ptrdiff_t>(begin));
    compared_.back() = false;
  }

  void read_number() {
    while (is_number_part(look()) || look() == '.') ++at_;
    auto sign = look(1) == '+' || look(1) == '-' ? 1u : 0u;
    if ((look() != 'e' && look() != 'E') || !is_number_part(look(1 + sign))) return;
    at_ += 1 + sign;
    while (is_number_part(look())) ++at_;
  }

  void read_sign() {
    auto two = in_.substr(at_, 2);
    if (two == "<=" || two == ">=" || two == "==" || two == "!=") return compare(2);
    if (two == "&&" || two == "||") return separate(2);
    switch (look()) {
    case '<':
    case '>': return compare(1);
    case '?':
    case ':': return separate(1);
    case ',':
      if (compared_.size() == 1) return refuse(at_, "`,` stands between the arguments of a function only");
      return separate(1);
    case '(': open_.push_back(at_++); return compared_.push_back(false);
    case ')':
      if (compared_.size() == 1) return refuse(at_, "this `)` closes nothing");
      compared_.pop_back(), open_.pop_back(), ++at_;
      return;
    case '!':
      if (look(1) != '(') return refuse(at_, "`!` needs parentheses: write `!(...)`");
      ++at_;
      return;
    case '=': return refuse(at_, "`=` would set a value; to compare write `==`");
    case '&':
    case '|': return refuse(at_, std::string{"`"} + look() + "` is written twice: `" + look() + look() + "`");
    case '+':
    case '-':
    case '*':
    case '/':
    case '^': ++at_; return;
    default: return refuse(at_, "`" + std::string{character()} + "` means nothing in a condition");
    }
  }

  // A whole character, were it of several bytes; no control character.
  std::string_view character() const {
    auto size = std::size_t{1};
    while ((static_cast<unsigned char>(look(size)) & 0xC0) == 0x80) ++size;
    return static_cast<unsigned char>(look()) < 0x20 ? "?" : in_.substr(at_, size);
  }

  // `0 < x < 1` would compare the truth of `0 < x`, 0 or 1, with 1.
  void compare(std::size_t size) {
    if (compared_.back())
      return refuse(at_, "this compares the result of a comparison; write `a < b && b < c`, or put one in parentheses");
    compared_.back() = true;
    at_ += size;
  }
  void separate(std::size_t size) {
    compared_.back() = false;
    at_ += size;
  }

  std::string_view in_;
  std::size_t at_ = 0;
  condition_text out_;
  std::vector<char> compared_{
    false};                       // by depth of parentheses: whether there was a comparison since the last separator
  std::vector<std::size_t> open_; // where the parentheses were opened
  std::size_t wrong_at_ = 0;
  std::string why_;
};

} // namespace

bool is_condition_function(std::string_view name) {
  return std::find(std::begin(condition_functions), std::end(condition_functions), name) !=
         std::end(condition_functions);
}

std::string without_dots(std::string_view name) {
  std::string out{name};
  std::replace(out.begin(), out.end(), '.', '_');
  return out;
}

expected<condition_text> read_condition(std::string_view condition) { return reader{condition}.read(); }

tl::unexpected<failure> fail_in_condition(std::string_view condition, std::size_t column, const std::string& sentence) {
  std::string shown{cut_text(condition, max_shown_bytes)};
  for (auto& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  if (shown.size() < condition.size()) shown += "...";
  return fail(errc::invalid_argument, "column " + std::to_string(column) + " of `" + shown + "`: " + sentence);
}

} // namespace finstream
