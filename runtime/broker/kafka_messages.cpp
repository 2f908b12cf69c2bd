#include "runtime/broker/kafka_messages.hpp"

#include "runtime/broker/rules.hpp"

#include <optional>
#include <string_view>

namespace finstream::kafka_messages {

using namespace broker_rules;

namespace {

constexpr const char* offset_header = "FinStream-Offset"; // where it is meant to be
constexpr const char* writer_header = "FinStream-Writer";

constexpr std::size_t max_topic_bytes = 249;

std::optional<std::string_view> header(const rd_kafka_headers_t* headers, const char* name) {
  const void* value = nullptr;
  std::size_t size = 0;
  if (headers == nullptr || rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return std::nullopt;
  return std::string_view{static_cast<const char*>(value), size};
}

} // namespace

expected<std::string> topic_of(const std::string& stream) {
  std::string out;
  for (auto c : stream)
    if (c == ':')
      out += "--";
    else if (c == '_')
      out += "-u";
    else if (c == '-')
      out += "-d";
    else
      out += c;
  if (out.size() <= max_topic_bytes && out != "." && out != "..") return out;
  return fail(errc::invalid_argument,
              "the stream cannot be called '" + stream + "' in Kafka: choose a shorter name, of " + "more than dots");
}

std::string group_id_of(const std::string& stream, const std::string& group) { return group + "@" + stream; }
std::string group_of(const std::string& stream, const std::string& group_id) {
  auto at = group_id.find('@');
  return at != group_id.npos && group_id.substr(at + 1) == stream ? group_id.substr(0, at) : std::string{};
}

expected<placed_message> message_of(const rd_kafka_message_t& record) {
  rd_kafka_headers_t* headers = nullptr;
  rd_kafka_message_headers(&record, &headers);
  auto number = header(headers, number_header), last = header(headers, last_header), log = header(headers, log_header),
       type = header(headers, type_header), offset = header(headers, offset_header),
       writer = header(headers, writer_header);
  placed_message out;
  std::int64_t meant_for = 0;
  auto dot = number ? number->find('.') : std::string_view::npos;
  if (dot == std::string_view::npos || !parse(number->substr(0, dot), out.what.number.transaction) ||
      !parse(number->substr(dot + 1), out.what.number.part) || !last || !log || !parse(*log, out.what.log_id) ||
      !type || !offset || !parse(*offset, meant_for) || !writer)
    return fail(errc::incompatible, std::string{"message "} + std::to_string(record.offset) + " of topic " +
                                      rd_kafka_topic_name(record.rkt) +
                                      " is not one of FinStream: something else writes to it");
  out.what.is_last_part = *last == "1";
  out.what.type = *type;
  out.what.body.assign(static_cast<const char*>(record.payload), record.len);
  out.offset = record.offset;
  out.counts = meant_for == record.offset;
  out.writer = *writer;
  return out;
}

rd_kafka_resp_err_t produce(rd_kafka_t& with, const std::string& topic, const broker_message& x, std::int64_t meant_for,
                            const std::string& writer, delivery& to) {
  auto* headers = rd_kafka_headers_new(6);
  auto add = [&](const char* name, const std::string& value) {
    ensure(rd_kafka_header_add(headers, name, -1, value.data(), static_cast<ssize_t>(value.size())) ==
             RD_KAFKA_RESP_ERR_NO_ERROR,
           "no memory for a header");
  };
  add(number_header, broker_rules::to_string(x.number));
  add(last_header, x.is_last_part ? "1" : "0");
  add(log_header, std::to_string(x.log_id));
  add(type_header, x.type);
  add(offset_header, std::to_string(meant_for));
  add(writer_header, writer);
  rd_kafka_vu_t fields[6]{};
  fields[0].vtype = RD_KAFKA_VTYPE_TOPIC, fields[0].u.cstr = topic.c_str();
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION, fields[1].u.i32 = kafka_partition;
  fields[2].vtype = RD_KAFKA_VTYPE_VALUE, fields[2].u.mem = {const_cast<char*>(x.body.data()), x.body.size()};
  fields[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS, fields[3].u.i = RD_KAFKA_MSG_F_COPY;
  fields[4].vtype = RD_KAFKA_VTYPE_HEADERS, fields[4].u.headers = headers;
  fields[5].vtype = RD_KAFKA_VTYPE_OPAQUE, fields[5].u.ptr = &to;
  auto* error = rd_kafka_produceva(&with, fields, std::size(fields));
  if (error == nullptr) return RD_KAFKA_RESP_ERR_NO_ERROR;
  auto code = rd_kafka_error_code(error);
  rd_kafka_error_destroy(error);
  rd_kafka_headers_destroy(headers);
  return code;
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* record, void*) {
  *static_cast<delivery*>(record->_private) = {record->offset, record->err};
}

} // namespace finstream::kafka_messages
