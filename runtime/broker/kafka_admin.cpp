#include "runtime/broker/kafka_admin.hpp"

namespace finstream {

namespace {

using kafka_queue = std::unique_ptr<rd_kafka_queue_t, kafka_deleter<rd_kafka_queue_destroy>>;
using kafka_event = std::unique_ptr<rd_kafka_event_t, kafka_deleter<rd_kafka_event_destroy>>;
using kafka_options = std::unique_ptr<rd_kafka_AdminOptions_t, kafka_deleter<rd_kafka_AdminOptions_destroy>>;

// What the brokers answer to a request that `send` makes with these options to this queue.
template <class Send>
expected<kafka_event> ask(kafka_session& session, const std::string& what, rd_kafka_admin_op_t operation, Send send) {
  kafka_queue answers{rd_kafka_queue_new(&session.client())};
  kafka_options options{rd_kafka_AdminOptions_new(&session.client(), operation)};
  char why[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), session.left_ms(), why, sizeof why);
  send(options.get(), answers.get());
  kafka_event answer{rd_kafka_queue_poll(answers.get(), session.left_ms())};
  if (!answer) return session.lost(what, "nothing has come in time");
  if (auto error = rd_kafka_event_error(answer.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR)
    return session.failed(what, error, rd_kafka_event_error_string(answer.get()));
  return answer;
}

// Of one thing that was asked for: those that are no error are said by `is_well`.
expected<void> check(kafka_session& session, const std::string& what, const rd_kafka_topic_result_t* result,
                     rd_kafka_resp_err_t is_well) {
  auto error = rd_kafka_topic_result_error(result);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == is_well) return {};
  auto* said = rd_kafka_topic_result_error_string(result);
  return session.failed(what, error, said != nullptr ? said : "");
}
expected<void> check(kafka_session& session, const std::string& what, const rd_kafka_group_result_t* result,
                     rd_kafka_resp_err_t is_well) {
  const auto* error = rd_kafka_group_result_error(result);
  if (error == nullptr || rd_kafka_error_code(error) == is_well) return {};
  return session.failed(what, rd_kafka_error_code(error), rd_kafka_error_string(error));
}

class real_admin : public kafka_admin {
public:
  expected<void> create_topic(kafka_session& session, const std::string& topic) override {
    char why[256];
    std::unique_ptr<rd_kafka_NewTopic_t, kafka_deleter<rd_kafka_NewTopic_destroy>> wanted{
      rd_kafka_NewTopic_new(topic.c_str(), 1, -1, why, sizeof why)}; // as many replicas as the brokers' default says
    ensure(wanted != nullptr, why);
    // What is not needed is trimmed by us, who know what is.
    for (auto [name, value] :
         {std::pair{"cleanup.policy", "delete"}, {"retention.ms", "-1"}, {"retention.bytes", "-1"}})
      rd_kafka_NewTopic_set_config(wanted.get(), name, value);
    auto what = "creating topic " + topic;
    auto answer = ask(session, what, RD_KAFKA_ADMIN_OP_CREATETOPICS, [&](auto* options, auto* answers) {
      auto* one = wanted.get();
      rd_kafka_CreateTopics(&session.client(), &one, 1, options, answers);
    });
    if (!answer) return tl::unexpected{answer.error()};
    std::size_t count = 0;
    auto** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer->get()), &count);
    return check(session, what, results[0], RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
  }

  expected<void> remove_topic(kafka_session& session, const std::string& topic) override {
    std::unique_ptr<rd_kafka_DeleteTopic_t, kafka_deleter<rd_kafka_DeleteTopic_destroy>> wanted{
      rd_kafka_DeleteTopic_new(topic.c_str())};
    auto what = "removing topic " + topic;
    auto answer = ask(session, what, RD_KAFKA_ADMIN_OP_DELETETOPICS, [&](auto* options, auto* answers) {
      auto* one = wanted.get();
      rd_kafka_DeleteTopics(&session.client(), &one, 1, options, answers);
    });
    if (!answer) return tl::unexpected{answer.error()};
    std::size_t count = 0;
    auto** results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer->get()), &count);
    return check(session, what, results[0], RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  }

  expected<void> remove_group(kafka_session& session, const std::string& group_id) override {
    std::unique_ptr<rd_kafka_DeleteGroup_t, kafka_deleter<rd_kafka_DeleteGroup_destroy>> wanted{
      rd_kafka_DeleteGroup_new(group_id.c_str())};
    auto what = "removing group " + group_id;
    auto answer = ask(session, what, RD_KAFKA_ADMIN_OP_DELETEGROUPS, [&](auto* options, auto* answers) {
      auto* one = wanted.get();
      rd_kafka_DeleteGroups(&session.client(), &one, 1, options, answers);
    });
    if (!answer) return tl::unexpected{answer.error()};
    std::size_t count = 0;
    auto** results = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(answer->get()), &count);
    return check(session, what, results[0], RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND);
  }

  expected<void> drop_before(kafka_session& session, const std::string& topic, std::int64_t offset) override {
    auto before = partition_of(topic, offset);
    std::unique_ptr<rd_kafka_DeleteRecords_t, kafka_deleter<rd_kafka_DeleteRecords_destroy>> wanted{
      rd_kafka_DeleteRecords_new(before.get())};
    auto what = "trimming topic " + topic;
    auto answer = ask(session, what, RD_KAFKA_ADMIN_OP_DELETERECORDS, [&](auto* options, auto* answers) {
      auto* one = wanted.get();
      rd_kafka_DeleteRecords(&session.client(), &one, 1, options, answers);
    });
    if (!answer) return tl::unexpected{answer.error()};
    const auto* done = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(answer->get()));
    auto error = done->elems[0].err;
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ? expected<void>{} : session.failed(what, error);
  }

  expected<std::vector<std::string>> group_ids(kafka_session& session) override {
    const std::string what = "listing the groups";
    auto answer = ask(session, what, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, [&](auto* options, auto* answers) {
      rd_kafka_ListConsumerGroups(&session.client(), options, answers);
    });
    if (!answer) return tl::unexpected{answer.error()};
    const auto* list = rd_kafka_event_ListConsumerGroups_result(answer->get());
    std::size_t count = 0;
    auto** errors = rd_kafka_ListConsumerGroups_result_errors(list, &count); // of each broker that has not answered
    if (count > 0) return session.failed(what, rd_kafka_error_code(errors[0]), rd_kafka_error_string(errors[0]));
    auto** found = rd_kafka_ListConsumerGroups_result_valid(list, &count);
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i) out.emplace_back(rd_kafka_ConsumerGroupListing_group_id(found[i]));
    return out;
  }
};

} // namespace

std::unique_ptr<kafka_admin> make_kafka_admin() { return std::make_unique<real_admin>(); }

expected<std::optional<std::int64_t>> committed_offset(kafka_session& session, const std::string& topic,
                                                       const std::string& group_id) {
  using found = std::optional<std::int64_t>;
  auto where = partition_of(topic);
  std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, kafka_deleter<rd_kafka_ListConsumerGroupOffsets_destroy>> wanted{
    rd_kafka_ListConsumerGroupOffsets_new(group_id.c_str(), where.get())};
  auto what = "looking at group " + group_id;
  auto answer = ask(session, what, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, [&](auto* options, auto* answers) {
    auto* one = wanted.get();
    rd_kafka_ListConsumerGroupOffsets(&session.client(), &one, 1, options, answers);
  });
  if (!answer) return tl::unexpected{answer.error()};
  std::size_t count = 0;
  auto** groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
    rd_kafka_event_ListConsumerGroupOffsets_result(answer->get()), &count);
  if (auto sound = check(session, what, groups[0], RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND); !sound)
    return tl::unexpected{sound.error()};
  const auto* partitions = rd_kafka_group_result_partitions(groups[0]);
  if (partitions == nullptr || partitions->cnt == 0) return found{};
  const auto& it = partitions->elems[0];
  if (it.err != RD_KAFKA_RESP_ERR_NO_ERROR) return session.failed(what, it.err);
  return it.offset >= 0 ? found{it.offset} : found{};
}

expected<void> commit_offset(kafka_session& session, const std::string& topic, const std::string& group_id,
                             std::int64_t offset) {
  auto where = partition_of(topic, offset);
  std::unique_ptr<rd_kafka_AlterConsumerGroupOffsets_t, kafka_deleter<rd_kafka_AlterConsumerGroupOffsets_destroy>>
    wanted{rd_kafka_AlterConsumerGroupOffsets_new(group_id.c_str(), where.get())};
  auto what = "creating group " + group_id;
  auto answer = ask(session, what, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, [&](auto* options, auto* answers) {
    auto* one = wanted.get();
    rd_kafka_AlterConsumerGroupOffsets(&session.client(), &one, 1, options, answers);
  });
  if (!answer) return tl::unexpected{answer.error()};
  std::size_t count = 0;
  auto** groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
    rd_kafka_event_AlterConsumerGroupOffsets_result(answer->get()), &count);
  if (auto sound = check(session, what, groups[0], RD_KAFKA_RESP_ERR_NO_ERROR); !sound) return sound;
  const auto* partitions = rd_kafka_group_result_partitions(groups[0]);
  auto error = partitions != nullptr && partitions->cnt > 0 ? partitions->elems[0].err : RD_KAFKA_RESP_ERR_NO_ERROR;
  return error == RD_KAFKA_RESP_ERR_NO_ERROR ? expected<void>{} : session.failed(what, error);
}

} // namespace finstream
