#include "runtime/expression/expression.hpp"

#include "messages/value/nearest.hpp"
#include "runtime/expression/condition_text.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <muParser.h>

namespace finstream {

// The engine reads the values from where it was told they are, so they stay in place.
struct expression::engine {
  mu::Parser parser;
  std::vector<variable> variables;
  std::vector<double> values;
};

namespace {

double not_true(double x) { return x == 0 ? 1 : 0; }
double least_of(const double* values, int count) { return *std::min_element(values, values + count); }
double greatest_of(const double* values, int count) { return *std::max_element(values, values + count); }

// Only these: what the engine brings along has names that mean different things to different people (`log`), and may
// change with its version.
void define_functions(mu::Parser& parser) {
  parser.ClearFun();
  parser.ClearConst();
  parser.DefineFun(
    "abs", +[](double x) { return std::fabs(x); });
  parser.DefineFun(
    "ceil", +[](double x) { return std::ceil(x); });
  parser.DefineFun(
    "exp", +[](double x) { return std::exp(x); });
  parser.DefineFun(
    "floor", +[](double x) { return std::floor(x); });
  parser.DefineFun(
    "ln", +[](double x) { return std::log(x); });
  parser.DefineFun(
    "log10", +[](double x) { return std::log10(x); });
  parser.DefineFun("max", greatest_of);
  parser.DefineFun("min", least_of);
  parser.DefineFun(
    "round", +[](double x) { return std::round(x); });
  parser.DefineFun(
    "sign", +[](double x) { return x < 0   ? -1.0
                                   : x > 0 ? 1.0
                                           : 0.0; });
  parser.DefineFun(
    "sqrt", +[](double x) { return std::sqrt(x); });
  parser.DefineInfixOprt("!", not_true);
}

std::string sentence_of(const mu::ParserError& error) {
  switch (error.GetCode()) {
  case mu::ecEMPTY_EXPRESSION: return "it is empty";
  case mu::ecUNEXPECTED_EOF: return "it ends too early: something must follow";
  case mu::ecUNEXPECTED_OPERATOR: return "an operator has nothing to its left";
  case mu::ecUNEXPECTED_VAL:
  case mu::ecUNEXPECTED_VAR:
  case mu::ecUNEXPECTED_FUN: return "an operator such as `&&` is missing before this";
  case mu::ecUNEXPECTED_PARENS: return "a parenthesis cannot stand here";
  case mu::ecMISSING_PARENS: return "a `)` is missing";
  case mu::ecUNEXPECTED_ARG_SEP: return "`,` stands between the arguments of a function only";
  case mu::ecUNEXPECTED_ARG: return "several values where one was expected";
  case mu::ecTOO_MANY_PARAMS: return "a function has too many arguments";
  case mu::ecTOO_FEW_PARAMS: return "a function has too few arguments";
  case mu::ecUNEXPECTED_CONDITIONAL:
  case mu::ecMISPLACED_COLON:
  case mu::ecMISSING_ELSE_CLAUSE: return "`?` and `:` go together: `condition ? value : other`";
  default: return "this cannot be read";
  }
}

// Which known name a written one is, dots and underscores being the same where the exact name is not there.
std::optional<std::size_t> find_known(std::string_view written, const std::vector<std::string>& known) {
  auto exact = std::find(known.begin(), known.end(), written);
  auto plain = without_dots(written);
  auto same = [&](auto& name) { return without_dots(name) == plain; };
  auto found = exact != known.end() ? exact : std::find_if(known.begin(), known.end(), same);
  if (found == known.end()) return std::nullopt;
  return static_cast<std::size_t>(found - known.begin());
}

tl::unexpected<failure> unknown_name(std::string_view condition, const condition_name& name,
                                     const std::vector<std::string>& known) {
  auto sentence = "`" + std::string{name.text} + "` is not known";
  auto meant = nearest(name.text, {known.begin(), known.end()});
  if (!meant.empty()) sentence += "; did you mean `" + std::string{meant} + "`?";
  std::string all;
  for (auto& x : known) all += (all.empty() ? "" : ", ") + x;
  sentence += (meant.empty() ? "; " : " ") + (all.empty() ? "no names are known" : "known names: " + all);
  return fail_in_condition(condition, name.column, sentence);
}

} // namespace

expected<expression> expression::compile(std::string_view condition, const std::vector<std::string>& known) {
  if (condition.size() > max_condition_bytes)
    return fail(errc::invalid_argument, "the condition has " + std::to_string(condition.size()) + " bytes; at most " +
                                          std::to_string(max_condition_bytes) + " are read");
  auto text = read_condition(condition);
  if (!text) return tl::unexpected{text.error()};
  auto made = std::make_unique<engine>();
  for (auto& name : text->names) {
    auto found = find_known(name.text, known);
    if (!found) return unknown_name(condition, name, known);
    auto same = [&](auto& x) { return without_dots(x.name) == without_dots(name.text); };
    if (std::none_of(made->variables.begin(), made->variables.end(), same))
      made->variables.push_back({std::string{name.text}, *found});
  }
  try {
    define_functions(made->parser);
    made->values.resize(made->variables.size());
    for (std::size_t i = 0; i < made->variables.size(); ++i)
      made->parser.DefineVar(without_dots(made->variables[i].name), &made->values[i]);
    made->parser.SetExpr(text->engine_text);
    int results = 0;
    made->parser.Eval(results); // the first evaluation is what compiles it
    if (results != 1) return fail_in_condition(condition, 1, "it has several values; a condition has one");
  } catch (const mu::ParserError& error) {
    auto at = std::clamp<std::int64_t>(error.GetPos(), 0, static_cast<std::int64_t>(condition.size()));
    return fail_in_condition(condition, static_cast<std::size_t>(at) + 1, sentence_of(error));
  } catch (const std::exception& error) {
    return fail_in_condition(condition, 1, std::string{"it cannot be compiled: "} + error.what());
  }
  return expression{std::move(made)};
}

expression::expression(std::unique_ptr<engine> ready) : engine_{std::move(ready)} {}
expression::expression(expression&&) noexcept = default;
expression& expression::operator=(expression&&) noexcept = default;
expression::~expression() = default;

const std::vector<expression::variable>& expression::variables() const { return engine_->variables; }

bool expression::evaluate(std::span<const std::optional<double>> values) const {
  ensure(values.size() == engine_->values.size(), "a condition was given another number of values than it uses");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!values[i] || std::isnan(*values[i])) return false;
    engine_->values[i] = *values[i];
  }
  try {
    auto result = engine_->parser.Eval();
    return result != 0 && !std::isnan(result);
  } catch (const std::exception&) {
    return false; // it has no value for these inputs
  } catch (const mu::ParserError&) {
    return false;
  }
}

} // namespace finstream
