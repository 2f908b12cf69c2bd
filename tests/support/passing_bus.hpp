// A log that is another one, lent: what is not overridden goes through.
#pragma once

#include "runtime/bus/bus.hpp"

namespace finstream::test {

class passing_bus : public bus {
public:
  explicit passing_bus(bus& to) : to_{to} {}

  expected<receipt> write(transaction tx) override { return to_.write(std::move(tx)); }
  expected<std::vector<record>> read(topic where, std::uint16_t partition, std::uint64_t offset,
                                     std::size_t limit_bytes) const override {
    return to_.read(where, partition, offset, limit_bytes);
  }
  expected<std::uint64_t> offset_at(topic where, std::uint16_t partition, timestamp at) const override {
    return to_.offset_at(where, partition, at);
  }
  expected<log_range> range(topic where, std::uint16_t partition) const override { return to_.range(where, partition); }
  expected<std::optional<std::string>> get(std::string_view table, std::string_view key) const override {
    return to_.get(table, key);
  }
  expected<void> scan(std::string_view table, std::string_view first, std::string_view last,
                      const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    return to_.scan(table, first, last, visit);
  }
  expected<std::optional<std::uint64_t>> committed(std::string_view group, topic where,
                                                   std::uint16_t partition) const override {
    return to_.committed(group, where, partition);
  }
  expected<std::uint64_t> trim(topic where, std::uint16_t partition, std::uint64_t offset) override {
    return to_.trim(where, partition, offset);
  }
  expected<void> sync() override { return to_.sync(); }
  expected<void> health() const override { return to_.health(); }
  bus_statistics statistics() const override { return to_.statistics(); }
  bus_capabilities capabilities() const override { return to_.capabilities(); }
  const recovery_report& recovery() const override { return to_.recovery(); }

private:
  bus& to_;
};

} // namespace finstream::test
