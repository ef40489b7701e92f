// Attention of a few rows over a session's arena of keys and values, with the bits of torch's own
// CPU kernels. Knows nothing of torch: pointers and sizes only.
//
// torch goes over keys in blocks of 512. A block's products are large products, its exponentials a
// polynomial of degree five, and their sum has eight lanes or sixteen; the sums of blocks are
// combined by powers of the difference of their maxima, in the order of positions. So does this,
// but it leaves out what a mask would make zero: adding zeros changes no bit.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "few_layers.h"
#include "few_vector.h"

namespace {

constexpr int ROWS = 4, BLOCK = 512, STEP = 16, MAX_WIDTH = 256, NEAR = 16;
constexpr float NOTHING = -std::numeric_limits<float>::infinity();

// torch's exp_u20
inline __m256 exponential(__m256 x) {
    const __m256 least = _mm256_set1_ps(-0x1.5d58ap+6f), most = _mm256_set1_ps(0x1.62e43p+6f);
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256 too_small = _mm256_cmp_ps(x, least, _CMP_LT_OS);
    x = _mm256_max_ps(_mm256_min_ps(x, most), least);
    const __m256 power = _mm256_floor_ps(
        _mm256_fmadd_ps(x, _mm256_set1_ps(0x1.715476p+0f), _mm256_set1_ps(0.5f)));
    const __m256 rest = _mm256_fnmadd_ps(power, _mm256_set1_ps(0x1.62e43p-1f), x);
    __m256 sum = _mm256_set1_ps(0.00828929059f);
    for (const float factor : {0.0418978221f, 0.166676521f, 0.499991506f, 0.999999701f, 1.0f})
        sum = _mm256_fmadd_ps(rest, sum, _mm256_set1_ps(factor));
    __m256i bits = _mm256_cvtps_epi32(_mm256_sub_ps(power, one));
    bits = _mm256_slli_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(127)), 23);
    const __m256 scale = _mm256_andnot_ps(too_small, _mm256_castsi256_ps(bits));
    return _mm256_mul_ps(_mm256_mul_ps(sum, scale), _mm256_set1_ps(2.0f));
}

// x to exp(x - most) in place; their sum. The number is a multiple of sixteen.
template <int TORCH_LANES>
float exponentials(float* x, int64_t num, float most) {
    LaneSum<TORCH_LANES> sum;
    for (int64_t i = 0; i < num; i += STEP)
        for (int64_t j = 0; j < STEP; j += LANES) {
            const __m256 score = _mm256_loadu_ps(x + i + j);
            const __m256 value = exponential(_mm256_sub_ps(score, _mm256_set1_ps(most)));
            sum.add(j / LANES, value);
            _mm256_storeu_ps(x + i + j, value);
        }
    return sum.total();
}

// sums += the sum over j of p[row][j] * v[j], j from `from` to `to` of a block of keys, of which p
// has those from `first` on.
template <int NUM, int TILES>
void add_some(const float* p, int64_t stride, const float* v, int64_t first, int64_t from,
              int64_t to, int64_t width, float* sums) {
    for (int64_t column = 0; column < width; column += TILES * LANES) {
        __m256 sum[NUM][TILES];
        for (int r = 0; r < NUM; r++)
            for (int t = 0; t < TILES; t++)
                sum[r][t] = _mm256_loadu_ps(sums + r * width + column + t * LANES);
        for (int64_t j = from; j < to; j++)
            for (int t = 0; t < TILES; t++) {
                const __m256 value = _mm256_loadu_ps(v + j * width + column + t * LANES);
                for (int r = 0; r < NUM; r++)
                    sum[r][t] = _mm256_fmadd_ps(
                        _mm256_broadcast_ss(p + r * stride + j - first), value, sum[r][t]);
            }
        for (int r = 0; r < NUM; r++)
            for (int t = 0; t < TILES; t++)
                _mm256_storeu_ps(sums + r * width + column + t * LANES, sum[r][t]);
    }
}

// out += the sum over j of p[row][j] * v[j], j from `first` to `end` of a block of keys. Keys are
// taken by as many as the nearest cache holds, so that all columns of them are read from there.
template <int NUM, int TILES>
void add_values(const float* p, int64_t stride, const float* v, int64_t first, int64_t end,
                int64_t width, int64_t step, float* out) {
    const int64_t size = NUM * width;
    for (int64_t begin = first / step * step; begin < end; begin += step) {
        float sums[ROWS * MAX_WIDTH];
        std::fill(sums, sums + size, 0.0f);
        const int64_t stop = std::min(end, begin + step);
        for (int64_t from = std::max(first, begin); from < stop; from += NEAR)
            add_some<NUM, TILES>(p, stride, v, first, from, std::min(stop, from + NEAR), width,
                                 sums);
        for (int64_t i = 0; i < size; i++) out[i] += sums[i];
    }
}

// What one row sees of a block of keys: the first `pinned` ones and those from `lower` to `upper`.
struct Seen {
    int64_t pinned, lower, upper;
};

// Where the keys of a session lie, and which of them a position sees.
struct Sight {
    int64_t prefix_columns, base, window, prefix;

    Seen in_block(int64_t at, int64_t start) const {
        const bool in_prefix = start < prefix_columns;
        const int64_t position = in_prefix ? start : start - prefix_columns + base;
        const int64_t pinned = in_prefix ? std::min(prefix, at + 1) - position : 0;
        return {inside(pinned), inside(at - window + 1 - position), inside(at + 1 - position)};
    }
    static int64_t inside(int64_t key) {
        return std::clamp<int64_t>(key, 0, BLOCK);
    }
};

struct Rows {
    int64_t num, at[ROWS];
    float query[ROWS * MAX_WIDTH], sum[ROWS], most[ROWS], out[ROWS * MAX_WIDTH];
};

// Scores of one row, scaled, in place, and what is not seen of them; the highest one.
float highest(float* row, const Seen& seen, int64_t first, int64_t end, float scale) {
    std::fill(row + std::clamp(seen.pinned, first, end) - first,
              row + std::clamp(std::max(seen.lower, seen.pinned), first, end) - first, NOTHING);
    std::fill(row + std::clamp(seen.upper, first, end) - first, row + end - first, NOTHING);
    __m256 most = _mm256_set1_ps(NOTHING);
    for (int64_t j = 0; j < end - first; j += LANES) {
        const __m256 value = _mm256_mul_ps(_mm256_loadu_ps(row + j), _mm256_set1_ps(scale));
        most = _mm256_max_ps(most, value);
        _mm256_storeu_ps(row + j, value);
    }
    float lanes[LANES];
    _mm256_storeu_ps(lanes, most);
    return *std::max_element(lanes, lanes + LANES);
}

// One block of keys, those from `first` to `end` of it.
void take_block(Rows& rows, const Seen* seen, const float* k, const float* v, int64_t first,
                int64_t end, const FewAttention& how) {
    const int64_t num = end - first, width = how.width;
    float scores[ROWS * BLOCK];
    few_rows(rows.query, k + first * width, scores, rows.num, num, width, how.score_block);
    for (int r = 0; r < rows.num; r++) {
        float* row = scores + r * num;
        const float most = std::max(rows.most[r], highest(row, seen[r], first, end, how.scale));
        if (most == NOTHING) {
            std::fill(row, row + num, 0.0f);
            continue;
        }
        const float before = std::exp(rows.most[r] - most);
        const float sum = how.lanes == 16 ? exponentials<16>(row, num, most)
                                          : exponentials<8>(row, num, most);
        rows.sum[r] = std::fma(before, rows.sum[r], sum);
        rows.most[r] = most;
        for (int64_t i = 0; i < width; i++) rows.out[r * width + i] *= before;
    }
    const int64_t step = how.value_block;
    if (rows.num == 4) add_values<4, 2>(scores, num, v, first, end, width, step, rows.out);
    if (rows.num == 3) add_values<3, 2>(scores, num, v, first, end, width, step, rows.out);
    if (rows.num == 2) add_values<2, 4>(scores, num, v, first, end, width, step, rows.out);
    if (rows.num == 1) add_values<1, 4>(scores, num, v, first, end, width, step, rows.out);
}

void take_rows(Rows& rows, const Sight& sight, const float* k, const float* v, int64_t begin,
               int64_t end, const FewAttention& how) {
    std::fill(rows.sum, rows.sum + ROWS, 0.0f);
    std::fill(rows.most, rows.most + ROWS, NOTHING);
    std::fill(rows.out, rows.out + ROWS * how.width, 0.0f);
    for (int64_t start = begin; start < end; start += BLOCK) {
        Seen seen[ROWS];
        int64_t first = BLOCK, last = 0;
        for (int r = 0; r < rows.num; r++) {
            seen[r] = sight.in_block(rows.at[r], start);
            first = std::min(first, seen[r].pinned ? 0 : seen[r].lower);
            last = std::max(last, seen[r].upper);
        }
        first = first / STEP * STEP;
        last = (last + STEP - 1) / STEP * STEP;
        if (first < last)
            take_block(rows, seen, k + start * how.width, v + start * how.width, first, last, how);
    }
}

}  // namespace

extern "C" void few_attention(const FewAttention* how, const FewSession* session, const float* q,
                              int64_t stride, const float* k, const float* v, float* out,
                              int64_t num_rows) {
    const Sight sight{how->prefix_columns, session->base, how->window, how->prefix};
    const int64_t width = how->width, groups = how->heads / how->kv_heads;
    const int64_t num = groups * num_rows, end = session->column + num_rows;
    Rows rows;
    for (int64_t head = 0; head < how->kv_heads; head++)
        for (int64_t from = 0; from < num; from += ROWS) {
            rows.num = std::min<int64_t>(ROWS, num - from);
            for (int r = 0; r < rows.num; r++) {
                const int64_t row = (from + r) / groups, group = (from + r) % groups;
                rows.at[r] = session->length + row;
                const float* query = q + row * stride + (head * groups + group) * width;
                std::copy(query, query + width, rows.query + r * width);
            }
            const int64_t arena = head * how->capacity * width;
            take_rows(rows, sight, k + arena, v + arena, session->begin, end, *how);
            for (int r = 0; r < rows.num; r++) {
                const int64_t row = (from + r) / groups, group = (from + r) % groups;
                float* to = out + (row * how->heads + head * groups + group) * width;
                const float inverse = 1 / rows.sum[r];
                for (int64_t i = 0; i < width; i++) to[i] = rows.out[r * width + i] * inverse;
            }
        }
}
