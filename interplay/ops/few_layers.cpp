// A whole stack of transformer layers over a few rows, from their inputs to the final norm, with
// the bits of the many stock operations. Knows nothing of torch: pointers and sizes only.

#include "few_layers.h"

#include <algorithm>
#include <vector>

namespace {

// Buffers of one pass; kept by every thread, since a pass is shorter than their first touch.
struct Scratch {
    std::vector<float> floats;
    std::vector<int64_t> whole;

    float* take(int64_t& used, int64_t num) {
        float* taken = floats.data() + used;
        used += num;
        return taken;
    }
};

void add(float* x, const float* branch, int64_t num) {
    for (int64_t i = 0; i < num; i++) x[i] += branch[i];
}

struct Pass {
    const FewStack& stack;
    const FewSession* sessions;
    int64_t num_sessions, num_rows;
    const float *cos, *sin;
    float *x, *normed, *qkv, *qk, *head_norms, *heads, *branch;
    FewRoom room;

    void find_room(Scratch& scratch, const FewLayer& layer);
    void attend(const FewLayer& layer, float* k, float* v) const;
    void feed_forward(const FewLayer& layer) const;
};

// Divides the scratch, which grows as needed; all layers are like `layer`.
void Pass::find_room(Scratch& scratch, const FewLayer& layer) {
    const FewAttention& how = stack.attention;
    const int64_t rows = num_sessions * num_rows, num_qk = how.heads + how.kv_heads;
    const int64_t gate_up = std::max(layer.gate_up.n, layer.shared_gate_up.n);
    const int64_t chosen = stack.num_experts ? stack.num_chosen : 0;
    const int64_t attention = (3 * how.heads + 3 * how.kv_heads) * how.width;
    const int64_t mixture = chosen ? stack.num_experts + chosen + (2 + chosen) * stack.dim : 0;
    const int64_t needed = rows * (3 * stack.dim + attention + gate_up + gate_up / 2 + mixture) +
                           num_qk * how.width;
    if (static_cast<int64_t>(scratch.floats.size()) < needed) scratch.floats.resize(needed);
    const int64_t pairs = rows * (chosen + 1);
    if (static_cast<int64_t>(scratch.whole.size()) < pairs) scratch.whole.resize(pairs);
    int64_t used = 0;
    const auto take = [&](int64_t width) { return scratch.take(used, rows * width); };
    x = take(stack.dim);
    normed = take(stack.dim);
    branch = take(stack.dim);
    qkv = take((num_qk + how.kv_heads) * how.width);
    qk = take(num_qk * how.width);
    heads = take(how.heads * how.width);
    room.gate_up = take(gate_up);
    room.hidden = take(gate_up / 2);
    head_norms = scratch.take(used, num_qk * how.width);
    if (!chosen) return;
    room.logits = take(stack.num_experts);
    room.weights = take(chosen);
    room.gathered = take(stack.dim);
    room.made = take(stack.dim);
    room.outputs = take(chosen * stack.dim);
    room.chosen = scratch.whole.data();
    room.pairs = room.chosen + rows * chosen;
}

// x += attention(norm(x)); k and v are the layer's arenas.
void Pass::attend(const FewLayer& layer, float* k, float* v) const {
    const FewAttention& how = stack.attention;
    const int64_t rows = num_sessions * num_rows, width = how.width;
    const int64_t num_qk = how.heads + how.kv_heads, stride = layer.qkv.n;
    rms_norm(x, layer.attention_norm, normed, rows, stack.dim, stack.eps);
    few_product(normed, &layer.qkv, qkv, rows);
    for (int64_t head = 0; head < num_qk; head++)
        std::copy_n(head < how.heads ? layer.q_norm : layer.k_norm, width,
                    head_norms + head * width);
    norm_and_rotate(qkv, stride, head_norms, cos, sin, qk, rows, num_qk, width, stack.eps);
    for (int64_t s = 0; s < num_sessions; s++) {
        const int64_t arena = sessions[s].slot * how.kv_heads * how.capacity * width;
        for (int64_t r = 0; r < num_rows; r++)
            for (int64_t head = 0; head < how.kv_heads; head++) {
                const int64_t row = s * num_rows + r;
                const int64_t to =
                    arena + (head * how.capacity + sessions[s].column + r) * width;
                std::copy_n(qk + (row * num_qk + how.heads + head) * width, width, k + to);
                std::copy_n(qkv + row * stride + (num_qk + head) * width, width, v + to);
            }
        const int64_t row = s * num_rows;
        few_attention(&how, sessions + s, qk + row * num_qk * width, num_qk * width, k + arena,
                      v + arena, heads + row * how.heads * width, num_rows);
    }
    few_product(heads, &layer.out, branch, rows);
    add(x, branch, rows * stack.dim);
}

// x += feed_forward(norm(x))
void Pass::feed_forward(const FewLayer& layer) const {
    const int64_t rows = num_sessions * num_rows;
    rms_norm(x, layer.ff_norm, normed, rows, stack.dim, stack.eps);
    few_feed_forward(stack, layer, normed, rows, room, branch);
    add(x, branch, rows * stack.dim);
}

}  // namespace

extern "C" void few_layers(const FewStack* stack, const FewLayer* layers, const float* norm,
                           const FewSession* sessions, int64_t num_sessions, int64_t num_rows,
                           const float* x, const float* cos, const float* sin, float* k, float* v,
                           float* out) {
    static thread_local Scratch scratch;
    const FewAttention& how = stack->attention;
    const int64_t rows = num_sessions * num_rows;
    Pass pass{*stack, sessions, num_sessions, num_rows, cos, sin};
    pass.find_room(scratch, *layers);
    std::copy_n(x, rows * stack->dim, pass.x);
    const int64_t arena = stack->num_slots * how.kv_heads * how.capacity * how.width;
    for (int64_t layer = 0; layer < stack->num_layers; layer++) {
        pass.attend(layers[layer], k + layer * arena, v + layer * arena);
        pass.feed_forward(layers[layer]);
    }
    rms_norm(pass.x, norm, out, rows, stack->dim, stack->eps);
}
