#include "runtime/broker/kafka_reader.hpp"

namespace finstream {

expected<void> kafka_reader::read(kafka_session& session, const std::string& topic, std::int64_t from,
                                  std::int64_t until,
                                  const std::function<expected<bool>(const rd_kafka_message_t&)>& each) {
  if (from >= until) return {};
  if (next_ != from)
    if (auto started = start(session, topic, from); !started) return started;
  while (*next_ < until) {
    auto more = read_one(session, until, each);
    if (!more) {
      stop();
      return tl::unexpected{more.error()};
    }
    if (!*more) break;
  }
  if (*next_ >= until) stop(); // at the end it asks for nothing until there is more
  return {};
}

expected<bool> kafka_reader::read_one(kafka_session& session, std::int64_t until,
                                      const std::function<expected<bool>(const rd_kafka_message_t&)>& each) {
  kafka_record found{session.is_over() ? nullptr : rd_kafka_consume(from_.get(), kafka_partition, session.left_ms())};
  if (!found) return session.lost("reading", "nothing has come in time");
  if (found->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) { // what is before `until` is none of anybody's messages
    next_ = until;
    return true;
  }
  if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    auto* said = rd_kafka_message_errstr(found.get());
    return session.failed("reading", found->err, said != nullptr ? said : "");
  }
  if (found->offset >= until) { // written meanwhile: the next read begins with it
    next_ = until;
    return true;
  }
  next_ = found->offset + 1;
  return each(*found);
}

expected<void> kafka_reader::start(kafka_session& session, const std::string& topic, std::int64_t from) {
  stop();
  if (!from_) from_.reset(rd_kafka_topic_new(&session.client(), topic.c_str(), nullptr));
  if (!from_ || rd_kafka_consume_start(from_.get(), kafka_partition, from) != 0)
    return session.failed("reading topic " + topic, rd_kafka_last_error());
  next_ = from;
  return {};
}

void kafka_reader::stop() {
  if (next_) rd_kafka_consume_stop(from_.get(), kafka_partition);
  next_.reset();
}

} // namespace finstream
