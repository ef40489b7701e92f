// Matrix products of very few rows with the bits of a large product of this processor's BLAS.
// Knows nothing of torch: pointers and sizes only.
//
// out[r][n] = sum over k of x[r][k] * weight[n][k]. The large product adds up every output by fused
// multiply-adds in the order of k, each block of `block` of them from zero, and the sums of the
// blocks in order. So does this; one vector holds eight outputs, whose weights (eight rows, eight
// columns) are transposed in registers. Weights are read once, as they lie.

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace {

constexpr int LANES = 8;
constexpr int64_t AHEAD = 2048;  // weights

inline void load_transposed(const float* weight, int64_t stride, __m256 (&t)[LANES]) {
    __m256 row[LANES], pair[LANES];
    for (int i = 0; i < LANES; i++) row[i] = _mm256_loadu_ps(weight + i * stride);
    for (int i = 0; i < LANES; i += 2) {
        pair[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
        pair[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        row[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
        row[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xEE);
        row[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        row[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xEE);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(row[i], row[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(row[i], row[i + 4], 0x31);
    }
}

// TILES * 8 outputs of ROWS rows; k is a multiple of 8.
template <int ROWS, int TILES>
void tile(const float* x, const float* weight, float* out, int64_t n, int64_t k, int64_t block) {
    __m256 total[ROWS][TILES], sum[ROWS][TILES];
    // Eight rows are read side by side, which no hardware prefetcher follows; as bytes the next
    // tile lies right behind this one. A tile of short rows, as keys are, is over before memory
    // answers.
    const char* ahead = reinterpret_cast<const char*>(weight + std::max(TILES * LANES * k, AHEAD));
    for (int64_t first = 0; first < k; first += block) {
        const int64_t end = first + block < k ? first + block : k;
        for (auto& row : sum)
            for (auto& value : row) value = _mm256_setzero_ps();
        for (int64_t i = first; i < end; i += LANES)
            for (int j = 0; j < TILES; j++) {
                for (int line = 0; line < 4; line++, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
                __m256 t[LANES];
                load_transposed(weight + j * LANES * k + i, k, t);
                for (int lane = 0; lane < LANES; lane++)
                    for (int r = 0; r < ROWS; r++)
                        sum[r][j] = _mm256_fmadd_ps(
                            _mm256_broadcast_ss(x + r * k + i + lane), t[lane], sum[r][j]);
            }
        for (int r = 0; r < ROWS; r++)
            for (int j = 0; j < TILES; j++)
                total[r][j] = first ? _mm256_add_ps(total[r][j], sum[r][j]) : sum[r][j];
    }
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < TILES; j++) _mm256_storeu_ps(out + r * n + j * LANES, total[r][j]);
}

float one(const float* x, const float* weight, int64_t k, int64_t block) {
    float total = 0;
    for (int64_t first = 0; first < k; first += block) {
        const int64_t end = first + block < k ? first + block : k;
        float sum = 0;
        for (int64_t i = first; i < end; i++) sum = std::fma(x[i], weight[i], sum);
        total = first ? total + sum : sum;
    }
    return total;
}

template <int ROWS>
void rows(const float* x, const float* weight, float* out, int64_t n, int64_t k, int64_t block) {
    constexpr int TILES = ROWS < 3 ? 2 : 1;  // enough independent sums to hide the latency
    int64_t j = 0;
    for (; j + TILES * LANES <= n; j += TILES * LANES)
        tile<ROWS, TILES>(x, weight + j * k, out + j, n, k, block);
    for (; j + LANES <= n; j += LANES)
        tile<ROWS, 1>(x, weight + j * k, out + j, n, k, block);
    for (; j < n; j++)
        for (int r = 0; r < ROWS; r++) out[r * n + j] = one(x + r * k, weight + j * k, k, block);
}

}  // namespace

// x [num_rows, k], weight [n, k], out [num_rows, n]; k and block are multiples of 8.
extern "C" void few_rows(const float* x, const float* weight, float* out, int64_t num_rows,
                         int64_t n, int64_t k, int64_t block) {
    while (num_rows > 0) {
        const int64_t now = num_rows < 4 ? num_rows : 4;
        if (now == 4) rows<4>(x, weight, out, n, k, block);
        if (now == 3) rows<3>(x, weight, out, n, k, block);
        if (now == 2) rows<2>(x, weight, out, n, k, block);
        if (now == 1) rows<1>(x, weight, out, n, k, block);
        x += now * k;
        out += now * n;
        num_rows -= now;
    }
}
