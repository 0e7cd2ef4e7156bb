// Switching stacks: by hand on x86-64 (a few nanoseconds), by ucontext elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace weft::emulation {

#if defined(__x86_64__)

struct Fiber {
  void* sp = nullptr;
};

extern "C" void weft_emulation_switch(void** save, void* load);
asm(R"(
.pushsection .text
.hidden weft_emulation_switch
.globl weft_emulation_switch
.type weft_emulation_switch,@function
weft_emulation_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size weft_emulation_switch, .-weft_emulation_switch
.popsection
)");

inline void start_fiber(Fiber& f, void* stack, size_t size, void (*entry)()) {
  auto** top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(stack) + size) & ~uintptr_t(63));
  *--top = nullptr;                         // entry() never returns; keeps the stack aligned as after a call
  *--top = reinterpret_cast<void*>(entry);  // where `ret` goes
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  f.sp = top;
}
inline void switch_fiber(Fiber& from, Fiber& to) { weft_emulation_switch(&from.sp, to.sp); }

#else

struct Fiber {
  ucontext_t context;
};
inline void start_fiber(Fiber& f, void* stack, size_t size, void (*entry)()) {
  getcontext(&f.context);
  f.context.uc_stack.ss_sp = stack;
  f.context.uc_stack.ss_size = size;
  f.context.uc_link = nullptr;
  makecontext(&f.context, entry, 0);
}
inline void switch_fiber(Fiber& from, Fiber& to) { swapcontext(&from.context, &to.context); }

#endif

}  // namespace weft::emulation
