// The feed-forward of a few rows, dense or a mixture of experts, with the bits of the stock
// operations. Knows nothing of torch: pointers and sizes only.

#include "few_layers.h"

#include <algorithm>
#include <limits>

#include "few_vector.h"

namespace {

// Sleef's expf_u10, with which torch computes a softmax; of numbers up to 0.
inline __m256 exponential(__m256 x) {
    const auto all = [](float value) { return _mm256_set1_ps(value); };
    const __m256 power = _mm256_round_ps(_mm256_mul_ps(x, all(0x1.715476p+0f)), 0);
    __m256 rest = _mm256_fnmadd_ps(power, all(0.693145751953125f), x);
    rest = _mm256_fnmadd_ps(power, all(1.428606765330187045e-06f), rest);
    __m256 sum = all(0.000198527617612853646278381f);
    for (const float factor : {0.00139304355252534151077271f, 0.00833336077630519866943359f,
                               0.0416664853692054748535156f, 0.166666671633720397949219f, 0.5f})
        sum = _mm256_fmadd_ps(sum, rest, all(factor));
    sum = _mm256_add_ps(all(1), _mm256_fmadd_ps(_mm256_mul_ps(rest, rest), sum, rest));
    const auto two_to = [](__m256i bits) {
        return _mm256_castsi256_ps(
            _mm256_slli_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(127)), 23));
    };
    const __m256i whole = _mm256_cvtps_epi32(power), half = _mm256_srai_epi32(whole, 1);
    sum = _mm256_mul_ps(_mm256_mul_ps(sum, two_to(half)), two_to(_mm256_sub_epi32(whole, half)));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, all(-104), _CMP_LT_OQ), sum);
}

// In place, `num` numbers; fewer than torch has lanes are added up one by one.
template <int TORCH_LANES>
void softmax(float* x, int64_t num) {
    float lanes[LANES], most = *std::max_element(x, x + num), total = 0;
    LaneSum<TORCH_LANES> sum;
    for (int64_t first = 0; first < num; first += LANES) {
        const int64_t now = std::min<int64_t>(LANES, num - first);
        std::fill(lanes, lanes + LANES, -std::numeric_limits<float>::infinity());
        std::copy_n(x + first, now, lanes);
        const __m256 value =
            exponential(_mm256_sub_ps(_mm256_loadu_ps(lanes), _mm256_set1_ps(most)));
        sum.add(first / LANES, value);
        _mm256_storeu_ps(lanes, value);
        std::copy_n(lanes, now, x + first);
    }
    if (num < TORCH_LANES)
        for (int64_t i = 0; i < num; i++) total += x[i];
    const float inverse = 1 / (num < TORCH_LANES ? total : sum.total());
    for (int64_t i = 0; i < num; i++) x[i] *= inverse;
}

// down(swiglu(gate_up(x)))
void dense(const FewStack& stack, const FewMatrix& gate_up, const FewMatrix& down, const float* x,
           int64_t rows, const FewRoom& room, float* out) {
    few_product(x, &gate_up, room.gate_up, rows);
    few_swiglu(&stack, room.gate_up, room.hidden, rows, down.k);
    few_product(room.hidden, &down, out, rows);
}

// What the chosen experts make of each row, added up in the order of its choice.
void mixture(const FewStack& stack, const FewLayer& layer, const float* x, int64_t rows,
             const FewRoom& room, float* out) {
    const int64_t num_chosen = stack.num_chosen, dim = stack.dim;
    few_product(x, &layer.router, room.logits, rows);
    few_route(&stack, room.logits, room.weights, room.chosen, rows);
    for (int64_t expert = 0; expert < stack.num_experts; expert++) {
        int64_t count = 0;
        for (int64_t pair = 0; pair < rows * num_chosen; pair++)
            if (room.chosen[pair] == expert) {
                std::copy_n(x + pair / num_chosen * dim, dim, room.gathered + count * dim);
                room.pairs[count++] = pair;
            }
        if (!count) continue;
        const FewMatrix gate_up = few_part(layer.gate_up, expert);
        dense(stack, gate_up, few_part(layer.down, expert), room.gathered, count, room,
              room.made);
        for (int64_t i = 0; i < count; i++)
            std::copy_n(room.made + i * dim, dim, room.outputs + room.pairs[i] * dim);
    }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t rank = 0; rank < num_chosen; rank++) {
            const float weight = room.weights[r * num_chosen + rank];
            const float* from = room.outputs + (r * num_chosen + rank) * dim;
            float* to = out + r * dim;
            for (int64_t i = 0; i < dim; i++)
                to[i] = rank ? to[i] + from[i] * weight : from[i] * weight;
        }
    if (!layer.shared_gate_up.n) return;
    dense(stack, layer.shared_gate_up, layer.shared_down, x, rows, room, room.made);
    for (int64_t i = 0; i < rows * dim; i++) out[i] += room.made[i];
}

}  // namespace

void few_feed_forward(const FewStack& stack, const FewLayer& layer, const float* x, int64_t rows,
                      const FewRoom& room, float* out) {
    if (stack.num_experts)
        mixture(stack, layer, x, rows, room, out);
    else
        dense(stack, layer.gate_up, layer.down, x, rows, room, out);
}

extern "C" void few_swiglu(const FewStack* stack, const float* gate_up, float* out,
                           int64_t num_rows, int64_t width) {
    for (int64_t r = 0; r < num_rows; r++, gate_up += 2 * width, out += width) {
        for (int64_t i = 0; i < width; i++) out[i] = -gate_up[i];
        stack->exponential(width, out, out, stack->mode);
        for (int64_t i = 0; i < width; i++)
            out[i] = gate_up[i] / (out[i] + 1) * gate_up[width + i];
    }
}

extern "C" void few_route(const FewStack* stack, float* logits, float* weights, int64_t* chosen,
                          int64_t num_rows) {
    const int64_t num = stack->num_experts, num_chosen = stack->num_chosen;
    for (int64_t r = 0; r < num_rows; r++) {
        float *row = logits + r * num, sum = 0;
        if (stack->attention.lanes == 16)
            softmax<16>(row, num);
        else
            softmax<8>(row, num);
        for (int64_t rank = 0; rank < num_chosen; rank++) {
            const int64_t best = std::max_element(row, row + num) - row;  // the lower of equals
            chosen[r * num_chosen + rank] = best;
            weights[r * num_chosen + rank] = row[best];
            sum += row[best];
            row[best] = -1;
        }
        for (int64_t rank = 0; rank < num_chosen; rank++) weights[r * num_chosen + rank] /= sum;
    }
}
