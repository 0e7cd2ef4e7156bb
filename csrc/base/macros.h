// Function qualifiers. Kernel files are compiled once per instruction set, so whatever they include
// must leave no shared symbol behind: helpers are either WEFT_INLINE or live in WEFT_ISA.
#pragma once

#if defined(__CUDACC__)
#define WEFT_HD __host__ __device__
#else
#define WEFT_HD
#endif

#define WEFT_INLINE static inline __attribute__((always_inline))
#define WEFT_RESTRICT __restrict__

// For large functions: one copy, whatever some of their arguments are.
#ifdef __clang__
#define WEFT_ONE_COPY __attribute__((noinline))
#else
#define WEFT_ONE_COPY __attribute__((noinline, noclone))
#endif
