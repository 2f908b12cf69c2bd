#include "messages/codec/line_event.hpp"

#include "messages/value/excerpt.hpp"
#include "messages/value/words.hpp"

#include <charconv>
#include <initializer_list>

namespace finstream {

namespace {

using enum line_field;

tl::unexpected<failure> bad(line_field field, std::string why) {
  return fail(errc::bad_field, std::string{name_of(field)} + ": " + std::move(why));
}

tl::unexpected<failure> in_field(line_field field, failure why) {
  return fail(why.code, std::string{name_of(field)} + ": " + std::move(why.message));
}

tl::unexpected<failure> missing(line_field field, std::string_view why) {
  return fail(errc::missing_field, std::string{name_of(field)} + " is missing: " + std::string{why});
}

expected<void> check_characters(line_field field, std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return bad(field, "control characters are not allowed");
  return {};
}

expected<void> check_name(line_field field, std::string_view text) {
  if (text.empty() || text.size() > max_name_bytes)
    return bad(field, "\"" + excerpt(text) + "\" must have 1 to 64 bytes, and has " + std::to_string(text.size()));
  if (text.find('|') != std::string_view::npos)
    return bad(field, "\"" + excerpt(text) + "\" has a '|', which separates the parts of an event id");
  return check_characters(field, text);
}

expected<std::string_view> take_string(line_field field, const line_value& value) {
  if (value.form != value_form::string) return bad(field, "must be a string");
  return value.text;
}

expected<timestamp> take_time(line_field field, const line_value& value, const line_rules& rules) {
  if (value.form != value_form::string) return bad(field, "must be a string with an RFC 3339 time");
  auto time = parse_timestamp(value.text);
  if (!time) return in_field(field, std::move(time.error()));
  if (*time > rules.latest)
    return fail(errc::future, std::string{name_of(field)} + ": " + excerpt(value.text) +
                                " is too far ahead of this machine's clock; latest accepted is " +
                                to_string(rules.latest));
  return *time;
}

// 64 bits of 1e-9. Sizes and volumes may not be negative; a price may (spreads, oil).
expected<std::int64_t> take_decimal(line_field field, const line_value& value, const line_rules& rules) {
  if (value.form != value_form::number && value.form != value_form::string) return bad(field, "must be a number");
  auto number = parse_decimal(value.text, rules.rounding_mode);
  if (!number) return in_field(field, std::move(number.error()));
  bool counts = field == size || field == volume || field == bid_size || field == ask_size;
  if (counts && number->units < 0) return bad(field, excerpt(value.text) + " is negative");
  return number->units;
}

expected<std::string_view> take_provider(const line_fields& fields, const line_rules& rules) {
  auto text = rules.feed;
  if (const auto& value = fields[provider]; value.given()) {
    auto given = take_string(provider, value);
    if (!given) return given;
    text = *given;
  }
  if (auto good = check_name(provider, text); !good) return tl::unexpected{good.error()};
  return text;
}

// What is written decides before what is said: a line with o, h, l or c is a bar whatever its kind.
expected<event_kind> take_kind(const line_fields& fields) {
  auto said = event_kind::tick;
  if (const auto& value = fields[kind]; value.given()) {
    auto text = take_string(kind, value);
    if (!text) return tl::unexpected{text.error()};
    if (*text == "quote")
      said = event_kind::quote;
    else if (*text == "bar")
      said = event_kind::bar;
    else if (*text != "tick")
      return bad(kind, "\"" + excerpt(*text) + "\" is none of tick, bar, quote");
  } else if (!fields[price].given() && (fields[bid].given() || fields[ask].given())) {
    said = event_kind::quote;
  }
  for (auto field : {open, high, low, close})
    if (fields[field].given()) return event_kind::bar;
  return said;
}

// Fills values[i] from the i-th field. All but the last `optional` ones must be there.
expected<void> take_values(const line_fields& fields, const line_rules& rules, std::initializer_list<line_field> wanted,
                           std::size_t optional, std::string_view why, event_row& row) {
  std::size_t i = 0;
  for (auto field : wanted) {
    if (fields[field].given()) {
      auto units = take_decimal(field, fields[field], rules);
      if (!units) return tl::unexpected{units.error()};
      row.values[i] = *units;
    } else if (i + optional < wanted.size()) {
      return missing(field, why);
    }
    ++i;
  }
  return {};
}

expected<void> take_bar(const line_fields& fields, const line_rules& rules, line_event& event) {
  if (auto done = take_values(fields, rules, {open, high, low, close, volume}, 1, "a bar has o, h, l and c", event.row);
      !done)
    return done;
  const auto& [o, h, l, c, v] = event.row.values;
  if (l > o || l > c || h < o || h < c)
    return bad(l > o || l > c ? low : high, "o and c of a bar must lie between l and h, and here o, h, l, c are " +
                                              to_string(decimal{o}) + ", " + to_string(decimal{h}) + ", " +
                                              to_string(decimal{l}) + ", " + to_string(decimal{c}));
  if (const auto& value = fields[interval]; value.given()) {
    auto text = take_string(interval, value);
    if (!text) return tl::unexpected{text.error()};
    if (text->size() > max_interval_bytes) return bad(interval, "\"" + excerpt(*text) + "\" has more than 16 bytes");
    event.interval = *text;
    return check_characters(interval, *text);
  }
  return {};
}

expected<void> take_row(const line_fields& fields, const line_rules& rules, line_event& event) {
  auto said = take_kind(fields);
  if (!said) return tl::unexpected{said.error()};
  event.row.kind = *said;
  switch (*said) {
  case event_kind::tick:
    return take_values(fields, rules, {price, size}, 1, "a tick has a price (a bar o, h, l, c; a quote bid and ask)",
                       event.row);
  case event_kind::quote:
    return take_values(fields, rules, {bid, ask, bid_size, ask_size}, 2, "a quote has bid and ask", event.row);
  case event_kind::bar: return take_bar(fields, rules, event);
  }
  return {};
}

expected<std::string_view> take_resume(const line_value& value) {
  if (!value.given()) return std::string_view{};
  if (value.form != value_form::string && value.form != value_form::number)
    return bad(resume, "must be a string or an integer");
  if (value.form == value_form::number && value.text.find_first_of(".eE") != std::string_view::npos)
    return bad(resume, excerpt(value.text) + " must be a string or an integer");
  if (value.text.size() > max_resume_bytes) return bad(resume, "a token of more than 1024 bytes");
  if (auto good = check_characters(resume, value.text); !good) return tl::unexpected{good.error()};
  return value.text;
}

expected<void> take_event(const line_fields& fields, const line_rules& rules, line_event& event) {
  event = {};
  auto from = take_provider(fields, rules);
  if (!from) return tl::unexpected{from.error()};
  event.provider = *from;

  if (!fields[symbol].given()) return missing(symbol, "an event says of what it is");
  auto of = take_string(symbol, fields[symbol]);
  if (!of) return tl::unexpected{of.error()};
  if (auto good = check_name(symbol, *of); !good) return good;
  event.symbol = *of;

  if (!fields[seq].given())
    return missing(seq, "without a sequence number a duplicate cannot be told from a second trade at the same time");
  if (fields[seq].form != value_form::number && fields[seq].form != value_form::string)
    return bad(seq, "must be an integer");
  auto number = parse_integer(fields[seq].text);
  if (!number) return in_field(seq, std::move(number.error()));
  event.row.seq = *number;

  if (auto done = take_row(fields, rules, event); !done) return done;
  auto token = take_resume(fields[resume]);
  if (!token) return tl::unexpected{token.error()};
  event.resume = *token;

  // Last, because the time alone decides whether a good event is too early.
  if (!fields[src_ts].given()) return missing(src_ts, "an event says when it happened, in RFC 3339");
  auto time = take_time(src_ts, fields[src_ts], rules);
  if (!time) return tl::unexpected{time.error()};
  event.row.src_ts = *time;
  return {};
}

expected<void> take_gap(const line_fields& fields, const line_rules& rules, source_event& event) {
  for (auto field : {from, to}) {
    if (!fields[field].given()) return missing(field, "a gap goes from a time to a time");
    auto time = take_time(field, fields[field], rules);
    if (!time) return tl::unexpected{time.error()};
    (field == from ? event.from : event.at) = *time;
  }
  if (event.from > event.at) return bad(to, "a gap cannot end before it starts");
  if (const auto& value = fields[reason]; value.given()) {
    auto text = take_string(reason, value);
    if (!text) return tl::unexpected{text.error()};
    event.reason = cut_text(*text, max_control_reason_bytes);
  }
  return {};
}

expected<void> take_control(const line_fields& fields, const line_rules& rules, std::string_view said,
                            control_line& control) {
  control = {};
  auto& event = control.event;
  event.feed = rules.feed;
  auto from = take_provider(fields, rules);
  if (!from) return tl::unexpected{from.error()};
  event.provider = *from;
  if (said == "hello") {
    event.change = source_change::up;
    control.hello = true;
    const auto& value = fields[resumed];
    if (value.given() && value.form != value_form::boolean) return bad(resumed, "must be true or false");
    event.resumed = value.text == "true";
    return {};
  }
  if (said == "heartbeat") {
    event.change = source_change::heartbeat;
    event.at = earliest;
    if (!fields[src_ts].given()) return {};
    auto time = take_time(src_ts, fields[src_ts], rules);
    if (!time) return tl::unexpected{time.error()};
    event.at = *time;
    return {};
  }
  if (said == "gap") {
    event.change = source_change::gap;
    return take_gap(fields, rules, event);
  }
  event.change = source_change::eof;
  return {};
}

// One of the three keys says what it is about; a line with none of them asks for one request.
expected<void> take_pace(const line_fields& fields, control_line& control) {
  auto& pace = control.pace.emplace();
  auto given = 0;
  auto take = [&](line_field field, pace_kind kind, std::int64_t least, std::int64_t most, auto set) -> expected<void> {
    const auto& value = fields[field];
    if (!value.given()) return {};
    if (++given > 1) return bad(field, "a line of type pace has one of requests, made, wait_ms");
    auto number = value.form == value_form::number ? parse_integer(value.text) : fail(errc::bad_field, "");
    if (!number || *number < least || *number > most)
      return bad(field, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    pace.kind = kind;
    set(*number);
    return {};
  };
  auto count = [&](std::int64_t n) { pace.requests = static_cast<std::uint32_t>(n); };
  if (auto done = take(requests, pace_kind::ask, 1, max_paced_requests, count); !done) return done;
  if (auto done = take(made, pace_kind::made, 1, max_paced_requests, count); !done) return done;
  return take(wait_ms, pace_kind::refused, 0, max_pause / millisecond,
              [&](std::int64_t ms) { pace.pause = ms * millisecond; });
}

} // namespace

expected<std::int64_t> parse_integer(std::string_view text) {
  auto digits = text.substr(text.starts_with('-') ? 1 : 0);
  bool plain = !digits.empty() && (digits.size() == 1 || digits.front() != '0');
  for (char c : digits) plain = plain && is_digit(c);
  if (!plain) return fail(errc::bad_field, "\"" + excerpt(text) + "\" is not an integer");
  std::int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{})
    return fail(errc::overflow, excerpt(text) + " does not fit into 64 bits");
  return value;
}

expected<line_type> interpret(const line_fields& fields, const line_rules& rules, line_event& event,
                              control_line& control) {
  if (const auto& value = fields[ver]; value.given() && (value.form != value_form::number || value.text != "1"))
    return bad(ver, excerpt(value.text) + " is not a version that is understood; it is 1");
  auto said = std::string_view{"event"};
  if (const auto& value = fields[type]; value.given()) {
    auto text = take_string(type, value);
    if (!text) return tl::unexpected{text.error()};
    said = *text;
  }
  auto done = expected<void>{};
  if (said == "event") {
    done = take_event(fields, rules, event);
    if (done) return line_type::event;
  } else if (said == "hello" || said == "heartbeat" || said == "gap" || said == "eof") {
    done = take_control(fields, rules, said, control);
    if (done) return line_type::control;
  } else if (said == "pace") {
    control = {};
    done = take_pace(fields, control);
    if (done) return line_type::control;
  } else {
    return bad(type, "\"" + excerpt(said) + "\" is none of event, hello, heartbeat, gap, eof, pace");
  }
  return tl::unexpected{std::move(done.error())};
}

} // namespace finstream
