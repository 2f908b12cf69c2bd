// The one idea of the language: a struct names its fields once, in fields(), and CAF's inspection, msgpack, JSON, the
// schema text and its hash all follow from that list.
#pragma once

#include "messages/value/decimal.hpp"
#include "messages/value/timestamp.hpp"

#include <concepts>
#include <type_traits>

namespace finstream {

template <class T> struct field {
  const char* name; // as in JSON and in the schema
  T& value;
};
template <class T> field(const char*, T&) -> field<T>;

// `template <of<bar> X, class F> auto fields(X& x, F&& f)` takes a bar, const or not.
template <class X, class T>
concept of = std::same_as<std::remove_const_t<X>, T>;

struct ignore_fields {
  void operator()(auto&&...) const {}
};
template <class T>
concept message = requires(T& x) {
  fields(x, ignore_fields{});
};

// CAF finds these through the namespace of the message.
template <class Inspector> typename Inspector::result_type inspect(Inspector& f, timestamp& x) { return f(x.ns); }
template <class Inspector> typename Inspector::result_type inspect(Inspector& f, decimal& x) { return f(x.units); }
template <class Inspector, message T> typename Inspector::result_type inspect(Inspector& f, T& x) {
  return fields(x, [&](auto... fs) { return f(fs.value...); });
}

} // namespace finstream
