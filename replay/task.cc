#include "replay/task.h"

#include <algorithm>

#include "replay/kernel_contracts.h"

namespace mmreplay {
namespace {

// Lookups do not call one another, but for the common part of two of them: migration_entry_wait() and
// migration_entry_wait_huge() (mm/migrate.c) end in __migration_entry_wait().
bool IsLookupCall(KernelFunction caller, KernelFunction callee) {
  return callee == KernelFunction::kPteMigrationEntryWait &&
         (caller == KernelFunction::kMigrationEntryWait || caller == KernelFunction::kHugeMigrationEntryWait);
}

void NewScope(Task* task) {
  ++task->scope;
  task->scope_cpu.reset();
  task->scope_moved = false;
}

// Closes the outermost frame that `ended` is true of, and what is inside it; returns how many were open.
template <typename Ended>
size_t CloseFrames(Task* task, const Ended& ended) {
  auto outermost = std::find_if(task->frames.begin(), task->frames.end(),
                                [&](const CallFrame& frame) { return ended(frame.function); });
  auto closed = static_cast<size_t>(task->frames.end() - outermost);
  task->frames.erase(outermost, task->frames.end());
  return closed;
}

}  // namespace

TaskTracker::TaskTracker(size_t limit, std::function<void(std::vector<Task*>)> forget)
    : tasks_(limit,
             {.keep = [](const Task& task) { return task.waits_kept > 0; }, .drop = std::move(forget)}) {}

Task* TaskTracker::Of(const Event& event) {
  return Of(event.pid, event.cpu);
}

Task* TaskTracker::Of(std::optional<Pid> pid, std::optional<int32_t> cpu) {
  if (!pid) return nullptr;
  int64_t key = Value(*pid);
  if (key == 0) {
    if (!cpu) return nullptr;
    key = -1 - int64_t{*cpu};
  }
  if (key == last_key_) return last_task_;
  Task& task = tasks_[key];
  if (task.serial == 0) {
    task.serial = next_serial_++;
    task.pid = pid;
    task.history_kept = tasks_.forgotten() == 0;
  }
  last_key_ = key;
  last_task_ = &task;
  return &task;
}

size_t TaskTracker::Enter(Task* task, const FunctionEntry& call, const Moment& entry) {
  size_t lost = CloseFrames(task, [&](KernelFunction open) {
    if (open == call.function) return true;
    return LooksUpPageTable(open) && LooksUpPageTable(call.function) && !IsLookupCall(open, call.function);
  });
  if (task->frames.empty()) NewScope(task);
  task->frames.push_back({call.function, call.symbol, entry, call.fields});
  return lost;
}

size_t TaskTracker::OnIdle(Task* task) {
  size_t lost = CloseFrames(task, LooksUpPageTable);
  if (lost > 0 && task->frames.empty()) NewScope(task);
  return lost;
}

std::optional<CallFrame> TaskTracker::Leave(Task* task, KernelFunction function) {
  if (!task->FindFrame(function)) return std::nullopt;
  CallFrame frame = task->frames.back();
  for (;;) {
    frame = task->frames.back();
    task->frames.pop_back();
    if (frame.function == function) break;
  }
  if (task->frames.empty()) NewScope(task);
  return frame;
}

}  // namespace mmreplay
