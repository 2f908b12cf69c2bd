#include "runtime/models/sklearn_model.hpp"

#include "messages/schema/schema.hpp"
#include "runtime/clock/clock.hpp"
#include "runtime/log/log.hpp"
#include "runtime/models/worker_frames.hpp"
#include "runtime/models/worker_process.hpp"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <fmt/core.h>
#include <future>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>

namespace finstream {

namespace {

nanoseconds monotonic_now() { return system_clock().monotonic(); }

class sklearn_model : public model {
public:
  sklearn_model(const std::string& path, model_card card, worker_options options)
    : model{std::move(card)}, options_{std::move(options)}, component_{"model " + name()} {
    program_.command = {options_.python,
                        "-I",
                        options_.script,
                        path,
                        hash_hex(hash()),
                        std::string{to_string(this->card().output)},
                        this->card().passes_nulls ? "pass" : "skip"};
    wake_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }

  ~sklearn_model() override {
    stopping_ = true;
    wake();
    if (keeper_.joinable()) keeper_.join();
  }

  // Starts the keeper, and waits until its first worker is ready.
  expected<void> start() {
    if (!wake_.open())
      return fail(errc::start_failed, std::string{"no eventfd could be made: "} + std::strerror(errno));
    std::promise<expected<void>> started;
    auto outcome = started.get_future();
    try {
      keeper_ = std::thread{[this, promise = std::move(started)]() mutable { keep(std::move(promise)); }};
    } catch (const std::system_error& e) {
      return fail(errc::start_failed, std::string{"no thread could be started for a model's worker: "} + e.what());
    }
    return outcome.get();
  }

  model_health health() const override {
    std::lock_guard guard{lock_};
    return health_;
  }

private:
  struct request {
    std::string frame;
    std::uint64_t id = 0;
    std::size_t rows = 0;
    nanoseconds deadline = 0;
    std::optional<expected<std::vector<double>>> answer;
  };

  // On the caller's thread. The keeper answers every request it was given, at the deadline at the latest.
  expected<std::vector<double>> compute(const model_batch& rows, nanoseconds deadline) override {
    request mine;
    mine.rows = rows.rows();
    mine.deadline = deadline;
    mine.id = ++last_id_;
    mine.frame = predict_frame(mine.id, rows.columns, rows.values);
    std::unique_lock guard{lock_};
    if (!health_.ready) return fail(errc::io_failure, "model " + name() + " has no worker: " + health_.trouble);
    asked_ = &mine;
    wake();
    answered_.wait(guard, [&mine] { return mine.answer.has_value(); });
    return std::move(*mine.answer);
  }

  // --- the keeper ---

  void keep(std::promise<expected<void>> started) {
    sigset_t all; // signals are the main thread's business, and a broken pipe is an error of write()
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    for (bool first = true;; first = false) {
      auto began = monotonic_now();
      auto worker = start_worker();
      if (first) {
        auto failed = !worker;
        started.set_value(worker ? expected<void>{} : tl::unexpected{worker.error()});
        if (failed) return;
      }
      auto why = worker ? serve(**worker) : std::move(worker.error());
      if (worker) (*worker)->finish(stopping_ ? options_.stop_grace : 0);
      if (stopping_ || !wait_for_next(began, why)) return;
    }
  }

  expected<std::unique_ptr<worker_process>> start_worker() {
    drain_wake(); // of a request that the last worker's end has answered already
    if (stopping_) return fail(errc::stopped, "the model is being closed");
    auto worker =
      worker_process::start(program_, wake_.get(), [this](std::string line) { log::info(component_, "{}", line); });
    if (!worker) return worker;
    auto hello = greet(**worker);
    if (hello) {
      log::info(component_, "worker {} is ready, {}", (*worker)->pid(), hello->library);
      note([this](model_health& x) { x = {true, x.starts + 1, {}}; });
      return worker;
    }
    (*worker)->finish(0);
    return tl::unexpected{failure{hello.error().code, "the worker of model " + name() + ": " + hello.error().message}};
  }

  // What the worker says of the model must be what the card says.
  expected<worker_hello> greet(worker_process& worker) {
    auto body = worker.exchange({}, monotonic_now() + options_.ready_within);
    if (!body) return tl::unexpected{body.error()};
    auto greeting = read_greeting(*body);
    if (!greeting) return tl::unexpected{greeting.error()};
    if (auto refusal = std::get_if<worker_refusal>(&*greeting))
      return fail(errc::config_invalid, "the model cannot be used: " + refusal->reason);
    auto& hello = std::get<worker_hello>(*greeting);
    auto wrong = [](const std::string& what) { return fail(errc::config_invalid, what); };
    if (hello.hash != hash_hex(hash())) return wrong("it loaded a file with hash " + hello.hash);
    if (hello.columns != features().size())
      return wrong(
        fmt::format("the model was trained on {} features, and its card names {}", hello.columns, features().size()));
    for (std::size_t i = 0; i < hello.features.size(); ++i)
      if (i >= features().size() || hello.features[i] != features()[i])
        return wrong(fmt::format("the model's feature {} is \"{}\", and its card says \"{}\"", i + 1, hello.features[i],
                                 i < features().size() ? features()[i] : ""));
    auto expected_outputs = card().output == model_output::number ? 1 : card().classes.size();
    if (hello.outputs != expected_outputs)
      return wrong(
        fmt::format("the model gives {} numbers a row, and by its card they are {}", hello.outputs, expected_outputs));
    return std::move(hello);
  }

  // Until the worker is of no use any more; says why.
  failure serve(worker_process& worker) {
    for (;;) {
      auto idle = worker.attend();
      drain_wake();
      if (stopping_) return {errc::stopped, "the model is being closed"};
      if (!idle) {
        give_up(idle.error());
        return idle.error();
      }
      auto mine = take();
      if (mine == nullptr) continue;
      auto body = worker.exchange(mine->frame, mine->deadline);
      auto answer = body ? read_answer(*body) : expected<worker_answer>{tl::unexpected{body.error()}};
      if (answer && answer->error.empty() &&
          (answer->id != mine->id || answer->outputs.empty() || answer->outputs.size() % mine->rows != 0))
        answer = fail(errc::io_failure, "the worker answered something else than it was asked");
      if (!answer) {
        give_up(answer.error());
        return answer.error();
      }
      if (answer->error.empty())
        finish_request(std::move(answer->outputs));
      else // the model's own complaint: the worker is well
        finish_request(fail(errc::io_failure, "model " + name() + " failed: " + answer->error));
    }
  }

  request* take() {
    std::lock_guard guard{lock_};
    return asked_;
  }

  void finish_request(expected<std::vector<double>> answer) {
    std::lock_guard guard{lock_};
    if (asked_ != nullptr) asked_->answer = std::move(answer);
    asked_ = nullptr;
    answered_.notify_all();
  }

  // Not ready before the request is answered, so that the next one is not given to a worker that is to be killed.
  void give_up(const failure& why) {
    note([&why](model_health& x) { x.ready = false, x.trouble = why.message; });
    finish_request(tl::unexpected{failure{why.code, "model " + name() + ": " + why.message}});
  }

  // After a worker's end: false if there is to be no other.
  bool wait_for_next(nanoseconds began, const failure& why) {
    auto now = monotonic_now();
    constexpr nanoseconds no_other = -1;
    auto pause = options_.restart_after ? options_.restart_after(now, now - began).value_or(no_other) : no_other;
    auto next = pause == no_other ? "there will be no other: mend the cause, then open the model again"
                                  : fmt::format("the next starts in {} ms", pause / millisecond);
    log::warning(component_, "{}; {}", why.message, next);
    note([&](model_health& x) { x.ready = false, x.trouble = why.message + "; " + next; });
    if (pause == no_other) return false;
    for (auto until = now + pause; !stopping_ && now < until; now = monotonic_now()) {
      wait_for_wake(until - now);
      drain_wake();
    }
    return !stopping_;
  }

  template <class F> void note(F change) {
    std::lock_guard guard{lock_};
    change(health_);
  }

  void wake() {
    std::uint64_t one = 1;
    [[maybe_unused]] auto n = ::write(wake_.get(), &one, sizeof one); // full means that a wake is under way
  }
  void drain_wake() {
    std::uint64_t count;
    while (::read(wake_.get(), &count, sizeof count) > 0) {
    }
  }
  void wait_for_wake(nanoseconds most) const {
    pollfd wait{wake_.get(), POLLIN, 0};
    timespec span{most / second, most % second};
    ppoll(&wait, 1, &span, nullptr);
  }

  worker_options options_;
  std::string component_; // in log lines
  child_options program_;
  descriptor wake_;
  std::atomic<bool> stopping_{false};
  std::uint64_t last_id_ = 0; // of the one caller at a time

  mutable std::mutex lock_;
  std::condition_variable answered_;
  model_health health_{false, 0, "it is being started"};
  request* asked_ = nullptr;

  std::thread keeper_; // last: it goes first
};

} // namespace

expected<std::unique_ptr<model>> open_sklearn_model(const std::string& model_path, model_card card,
                                                    worker_options options) {
  auto opened = std::make_unique<sklearn_model>(model_path, std::move(card), std::move(options));
  if (auto started = opened->start(); !started) return tl::unexpected{started.error()};
  return opened;
}

} // namespace finstream
