// Eight floats side by side, and how torch adds them up. Knows nothing of what they are.
#pragma once

#include <immintrin.h>

constexpr int LANES = 8;

inline float add_lanes(__m256 v) {
    v = _mm256_add_ps(v, _mm256_permute2f128_ps(v, v, 0x1));
    v = _mm256_add_ps(v, _mm256_shuffle_ps(v, v, 0x4E));
    v = _mm256_add_ps(v, _mm256_shuffle_ps(v, v, 0xB1));
    return _mm256_cvtss_f32(v);
}
