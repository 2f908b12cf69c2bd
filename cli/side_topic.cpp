#include "cli/side_topic.hpp"

#include "messages/codec/msgpack.hpp"
#include "runtime/store/bar_store.hpp"
#include "runtime/store/feature_store.hpp"
#include "runtime/store/job_store.hpp"
#include "runtime/store/signal_store.hpp"

#include <algorithm>
#include <filesystem>

namespace finstream {

namespace {

constexpr std::size_t rows_of_transaction = 4096;
constexpr std::size_t longest_name = 64;

} // namespace

expected<std::uint32_t> revision_of_row(const derived& kind, std::string_view row) {
  auto number = [](const auto& x) { return x.revision; };
  if (std::holds_alternative<bar>(kind)) return bar_from_msgpack(row).map(number);
  if (std::holds_alternative<feature_vector>(kind)) return feature_vector_from_msgpack(row).map(number);
  return 0u;
}

std::optional<table_write> row_of(const derived& x) {
  if (auto* b = std::get_if<bar>(&x)) return bar_write(*b);
  if (auto* v = std::get_if<feature_vector>(&x)) return feature_write(*v);
  if (auto* s = std::get_if<signal>(&x)) return signal_write(*s);
  return std::nullopt;
}

std::uint32_t revision_of(const derived& x) {
  if (auto* b = std::get_if<bar>(&x)) return b->revision;
  if (auto* v = std::get_if<feature_vector>(&x)) return v->revision;
  return 0;
}

expected<std::string> side_directory(const settings& config, const std::string& name) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  if (name.empty() || name.size() > longest_name || !std::all_of(name.begin(), name.end(), plain))
    return fail(errc::invalid_argument, "a topic's name has letters, digits, - and _, and is not: " + name);
  return config.data_directory + "/aside/" + name;
}

expected<std::unique_ptr<bus>> open_rows(const settings& config, const std::string& side_name) {
  if (side_name.empty()) return open_for_reading(config);
  auto directory = side_directory(config, side_name);
  if (!directory) return tl::unexpected{directory.error()};
  std::error_code error;
  if (!std::filesystem::exists(*directory, error))
    return fail(errc::not_found, "there is no topic " + side_name + "; `finstream replay --into` writes one");
  auto side = config;
  side.data_directory = *directory;
  return open_for_reading(side);
}

expected<std::unique_ptr<side_topic>> side_topic::open(const settings& config, const std::string& name) {
  auto directory = side_directory(config, name);
  if (!directory) return tl::unexpected{directory.error()};
  std::error_code error;
  std::filesystem::create_directories(*directory, error);
  embedded_bus_options options;
  options.directory = *directory;
  auto rows = open_embedded_bus(options);
  if (!rows) return tl::unexpected{rows.error()};
  auto out = std::make_unique<side_topic>();
  out->rows_ = std::move(*rows);
  return out;
}

expected<side_counts> side_topic::add(const derived& x) {
  auto row = row_of(x);
  if (!row) return side_counts{};
  std::lock_guard lock{mutex_};
  auto name = row->table + "/" + row->key;
  auto revision = revision_of(x);
  if (auto at = waiting_.find(name); at != waiting_.end()) { // counted already
    if (revision >= at->second.second) at->second = {std::move(*row), revision};
    return side_counts{};
  }
  auto there = rows_->get(row->table, row->key);
  if (!there) return tl::unexpected{there.error()};
  side_counts out;
  if (*there) {
    auto stored = revision_of_row(x, **there);
    if (!stored) return tl::unexpected{stored.error()};
    if (*stored > revision || **there == *row->value) return out.same = 1, out;
    out.changed = 1;
  } else {
    out.added = 1;
  }
  waiting_.emplace(std::move(name), std::pair{std::move(*row), revision});
  if (waiting_.size() < rows_of_transaction) return out;
  transaction tx;
  for (auto& [key, write] : std::exchange(waiting_, {})) tx.writes.push_back(write.first);
  if (auto written = rows_->write(std::move(tx)); !written) return tl::unexpected{written.error()};
  return out;
}

expected<void> side_topic::flush() {
  std::lock_guard lock{mutex_};
  transaction tx;
  for (auto& [key, write] : std::exchange(waiting_, {})) tx.writes.push_back(write.first);
  if (tx.writes.empty()) return {};
  if (auto written = rows_->write(std::move(tx)); !written) return tl::unexpected{written.error()};
  return rows_->sync();
}

expected<void> side_topic::note(const job_run& x) {
  transaction tx;
  tx.writes.push_back(job_write(x));
  return rows_->write(std::move(tx)).map([](const receipt&) {});
}

} // namespace finstream
