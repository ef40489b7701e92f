// Products of a few rows with packed weights (few_layers.h), with the bits of a large product: the
// recipe of few_rows.cpp on weights that need no transposing and fewer bytes. Knows nothing of
// torch: pointers and sizes only.
//
// A panel holds sixteen outputs, for every k side by side. Narrow weights become the very floats
// that they stand for before they are multiplied, so how they are kept changes no bit.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "few_layers.h"
#include "few_vector.h"

namespace {

constexpr int PANEL = 16, ROWS = 4, TOGETHER = 4;  // panels that all rows pass before the next
constexpr int64_t LOOKED_AT = 64;  // terms of a row, before all of them are

struct Full {
    using Stored = float;
    static __m256 load(const Stored* at, const float*) {
        return _mm256_loadu_ps(at);
    }
};

struct Half {
    using Stored = uint16_t;
    static __m256 load(const Stored* at, const float*) {
        return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    }
};

struct Byte {
    using Stored = int8_t;
    static __m256 load(const Stored* at, const float* scale) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
        const __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
        return _mm256_mul_ps(value, _mm256_loadu_ps(scale));
    }
};

// Terms of a few rows: all k of them, or the numbers of those that are not zero in every row.
struct Terms {
    const int32_t* numbers;
    int64_t count;
};

// PANELS * 16 outputs of ROWS rows; `left` of the outputs are there, the others are padding.
template <class Kind, int ROWS, int PANELS, bool SPARSE>
void tile(const float* x, const FewMatrix& weight, int64_t panel, float* out, int64_t left,
          const Terms& terms) {
    constexpr int TILES = PANELS * PANEL / LANES, WIDTH = PANELS * PANEL;
    const int64_t k = weight.k;
    const auto* data = static_cast<const typename Kind::Stored*>(weight.data) + panel * PANEL * k;
    const float* scale = weight.scale + panel * PANEL;
    float total[ROWS * WIDTH];
    int64_t j = 0;
    for (int64_t first = 0; first < k; first += weight.block) {
        const int64_t end = std::min(k, first + weight.block);
        __m256 sum[ROWS][TILES];
        for (auto& row : sum)
            for (auto& value : row) value = _mm256_setzero_ps();
        for (; SPARSE ? j < terms.count && terms.numbers[j] < end : j < end; j++) {
            const int64_t i = SPARSE ? terms.numbers[j] : j;
            __m256 value[ROWS];
            for (int r = 0; r < ROWS; r++) value[r] = _mm256_broadcast_ss(x + r * k + i);
            for (int p = PANELS; p < 2 * PANELS; p++)  // few streams: the prefetcher needs help
                _mm_prefetch(reinterpret_cast<const char*>(data + (p * k + i) * PANEL),
                             _MM_HINT_T0);
            for (int t = 0; t < TILES; t++) {
                const int64_t at = (t / 2 * k + i) * PANEL + t % 2 * LANES;
                const __m256 one = Kind::load(data + at, scale + t * LANES);
                for (int r = 0; r < ROWS; r++)
                    sum[r][t] = _mm256_fmadd_ps(value[r], one, sum[r][t]);
            }
        }
        for (int r = 0; r < ROWS; r++)
            for (int t = 0; t < TILES; t++) {
                float* to = total + r * WIDTH + t * LANES;
                _mm256_storeu_ps(to, first ? _mm256_add_ps(_mm256_loadu_ps(to), sum[r][t])
                                           : sum[r][t]);
            }
    }
    for (int r = 0; r < ROWS; r++)
        std::copy_n(total + r * WIDTH, std::min<int64_t>(WIDTH, left), out + r * weight.n);
}

template <class Kind, int ROWS, bool SPARSE>
void panels(const float* x, const FewMatrix& weight, int64_t panel, int64_t end, float* out,
            const Terms& terms) {
    constexpr int PANELS = ROWS == 1 ? 4 : ROWS == 2 ? 2 : 1;  // eight sums hide the latency
    for (; panel + PANELS <= end; panel += PANELS)
        tile<Kind, ROWS, PANELS, SPARSE>(x, weight, panel, out + panel * PANEL,
                                         weight.n - panel * PANEL, terms);
    for (; panel < end; panel++)
        tile<Kind, ROWS, 1, SPARSE>(x, weight, panel, out + panel * PANEL,
                                    weight.n - panel * PANEL, terms);
}

// All outputs of up to four rows at a time, some panels after the others.
template <class Kind, bool SPARSE>
void product(const float* x, const FewMatrix& weight, float* out, int64_t num_rows,
             const Terms& terms) {
    const int64_t num = (weight.n + PANEL - 1) / PANEL;
    for (int64_t panel = 0; panel < num; panel += TOGETHER) {
        const int64_t end = std::min(num, panel + TOGETHER);
        for (int64_t row = 0; row < num_rows; row += ROWS) {
            const float* from = x + row * weight.k;
            float* to = out + row * weight.n;
            const int64_t now = num_rows - row;
            if (now >= 4) panels<Kind, 4, SPARSE>(from, weight, panel, end, to, terms);
            if (now == 3) panels<Kind, 3, SPARSE>(from, weight, panel, end, to, terms);
            if (now == 2) panels<Kind, 2, SPARSE>(from, weight, panel, end, to, terms);
            if (now == 1) panels<Kind, 1, SPARSE>(from, weight, panel, end, to, terms);
        }
    }
}

// The terms that are not zero, of up to four rows that look as if most of theirs were, as sound in
// one-hot vectors is; a term of zeros adds nothing.
bool find_terms(const float* x, int64_t num_rows, int64_t k, std::vector<int32_t>& numbers) {
    const auto there = [&](int64_t i) {
        bool any = false;
        for (int64_t r = 0; r < num_rows; r++) any |= x[r * k + i] != 0;
        return any;
    };
    int64_t num = 0;
    for (int64_t i = 0; i < std::min(k, LOOKED_AT); i++) num += there(i);
    if (2 * num > std::min(k, LOOKED_AT)) return false;
    numbers.clear();
    for (int64_t i = 0; i < k; i++)
        if (there(i)) numbers.push_back(static_cast<int32_t>(i));
    return true;
}

template <class Kind>
void product(const float* x, const FewMatrix& weight, float* out, int64_t num_rows) {
    static thread_local std::vector<int32_t> numbers;
    if (!find_terms(x, std::min<int64_t>(ROWS, num_rows), weight.k, numbers))
        return product<Kind, false>(x, weight, out, num_rows, {});
    for (int64_t row = 0; row < num_rows; row += ROWS) {
        const int64_t now = std::min<int64_t>(ROWS, num_rows - row);
        const float* from = x + row * weight.k;
        float* to = out + row * weight.n;
        if (find_terms(from, now, weight.k, numbers))
            product<Kind, true>(from, weight, to, now,
                                {numbers.data(), static_cast<int64_t>(numbers.size())});
        else
            product<Kind, false>(from, weight, to, now, {});
    }
}

}  // namespace

extern "C" void few_product(const float* x, const FewMatrix* weight, float* out,
                            int64_t num_rows) {
    if (weight->kind == FEW_FULL) product<Full>(x, *weight, out, num_rows);
    if (weight->kind == FEW_HALF) product<Half>(x, *weight, out, num_rows);
    if (weight->kind == FEW_BYTE) product<Byte>(x, *weight, out, num_rows);
}

FewMatrix few_part(const FewMatrix& weights, int64_t index) {
    const int64_t rows = (weights.n + PANEL - 1) / PANEL * PANEL;
    const int64_t size = weights.kind == FEW_FULL ? 4 : weights.kind == FEW_HALF ? 2 : 1;
    FewMatrix part = weights;
    part.data = static_cast<const char*>(weights.data) + index * rows * weights.k * size;
    part.scale = weights.scale + index * rows;
    return part;
}
