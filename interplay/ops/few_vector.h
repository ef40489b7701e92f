// Eight floats side by side, and how torch adds up a row of them. Knows nothing of what they are.
#pragma once

#include <immintrin.h>

constexpr int LANES = 8;

// torch's sum of a row, in eight lanes on AVX2, in sixteen on AVX-512: the first eight of those and
// the others are a vector each, and torch begins with adding these two.
template <int TORCH_LANES>
struct LaneSum {
    static constexpr int VECTORS = TORCH_LANES / LANES;
    __m256 lanes[VECTORS];

    LaneSum() {
        for (auto& vector : lanes) vector = _mm256_setzero_ps();
    }
    // Vector number `index` of a row.
    void add(int64_t index, __m256 v) {
        auto& sum = lanes[index % VECTORS];
        sum = _mm256_add_ps(sum, v);
    }
    float total() const {
        __m256 v = lanes[0];
        if (VECTORS == 2) v = _mm256_add_ps(v, lanes[VECTORS - 1]);
        v = _mm256_add_ps(v, _mm256_permute2f128_ps(v, v, 0x1));
        v = _mm256_add_ps(v, _mm256_shuffle_ps(v, v, 0x4E));
        v = _mm256_add_ps(v, _mm256_shuffle_ps(v, v, 0xB1));
        return _mm256_cvtss_f32(v);
    }
};
