// Which wait functions are legal without the waiter holding a reference, and why. Keyed by the
// function, and where one function serves several callers, by the caller.
#pragma once

#include <string_view>

#include "parser/event.h"
#include "replay/records.h"

namespace mmreplay {

struct WaitContract {
  KernelFunction function;
  // The function that calls the wait, for a contract that only holds for calls from there.
  KernelFunction caller = KernelFunction::kOther;
  Protection protection;
  std::string_view reason;  // short, for counting
  std::string_view source;  // kernel versions and function that make it so
};

// nullptr where nothing about the function keeps the page alive: the caller must.
const WaitContract* FindContract(KernelFunction function, KernelFunction caller);

// What the waits of a function that looks up a page table have done over the versions: background for
// a wait in it, protected or not. Empty where nothing is known.
std::string_view ProtectionHistory(KernelFunction lookup);

// True for a function that waits for a flag of a page.
bool IsWaitFunction(KernelFunction function);

// Of these, true for one that leaves it to its caller to keep the page: a recording of the others, which see to it
// themselves, shows no wait without protection, whatever the kernel does.
bool LeavesPageToCaller(KernelFunction function);

// True for a function in which a page is found through a page-table entry under its lock, so that
// whatever keeps the page alive has to be taken inside it.
bool LooksUpPageTable(KernelFunction function);

}  // namespace mmreplay
