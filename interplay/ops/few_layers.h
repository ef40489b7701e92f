// What the native parts of a pass of few rows know of each other; `few_layers.py` and `packed.py`
// mirror it.
#pragma once

#include <cstdint>

extern "C" {

// How a packed weight is kept: as it is, in half precision, or as bytes that a number per output
// scales.
enum FewKind { FEW_FULL, FEW_HALF, FEW_BYTE };

// A weight [n, k], or several behind each other, in panels of sixteen outputs: [panel][k][16], the
// last one filled up with zeros. scale: per output, padded too, of bytes only. block: how many
// terms a product adds up from zero.
struct FewMatrix {
    const void* data;
    const float* scale;
    int64_t n, k, block, kind;
};

// Widths that tile: head width a multiple of 64, at most 256. Blocks: how many terms a product
// adds up from zero. lanes: in how many torch adds up a softmax, 8 or 16. prefix_columns: of an
// arena, before its window area. capacity: its columns.
struct FewAttention {
    int64_t heads, kv_heads, width, window, prefix, prefix_columns, capacity;
    int64_t score_block, value_block, lanes;
    float scale;
};

// Rows of one session go to `column` and on, and are at position `length` and on. base: position
// of the window area's first column. begin: the first column to look at, a multiple of 512.
struct FewSession {
    int64_t slot, column, length, base, begin;
};

// gate_up, down: of the feed-forward, or of all experts; then router, and if there is a shared
// expert (n > 0), shared_gate_up and shared_down.
struct FewLayer {
    const float *attention_norm, *q_norm, *k_norm, *ff_norm;
    FewMatrix qkv, out, gate_up, down, router, shared_gate_up, shared_down;
};

typedef void (*Exponential)(int64_t num, const float* x, float* out, int64_t mode);

// num_experts is 0 for a dense feed-forward.
struct FewStack {
    FewAttention attention;
    int64_t num_layers, num_slots, dim, num_experts, num_chosen;
    float eps;
    Exponential exponential;
    int64_t mode;
};

// x [num_rows, k], weight [n, k], out [num_rows, n]; k and block are multiples of 8.
void few_rows(const float* x, const float* weight, float* out, int64_t num_rows, int64_t n,
              int64_t k, int64_t block);

// The same with a packed weight.
void few_product(const float* x, const FewMatrix* weight, float* out, int64_t num_rows);

// x, out [num_rows, width], weight [width]; width is a multiple of 32.
void rms_norm(const float* x, const float* weight, float* out, int64_t num_rows, int64_t width,
              float eps);

// x [num_rows, heads, width], rows `stride` apart; weight [heads, width]; cos, sin
// [num_rows, width / 2]; out [num_rows, heads, width].
void norm_and_rotate(const float* x, int64_t stride, const float* weight, const float* cos,
                     const float* sin, float* out, int64_t num_rows, int64_t heads, int64_t width,
                     float eps);

// The rows of one session: q [num_rows, heads, width], rows `stride` apart; k, v
// [kv_heads, capacity, width]; out [num_rows, heads, width].
void few_attention(const FewAttention* how, const FewSession* session, const float* q,
                   int64_t stride, const float* k, const float* v, float* out, int64_t num_rows);

// gate_up [num_rows, 2 * width] -> out [num_rows, width].
void few_swiglu(const FewStack* stack, const float* gate_up, float* out, int64_t num_rows,
                int64_t width);

// Logits of experts [num_rows, num_experts], which are overwritten -> weights and numbers of the
// best ones [num_rows, num_chosen].
void few_route(const FewStack* stack, float* logits, float* weights, int64_t* chosen,
               int64_t num_rows);

// x, out [num_sessions * num_rows, dim]; cos, sin [num_sessions * num_rows, width / 2]; k, v
// [num_layers, num_slots, kv_heads, capacity, width], to which the rows' own are written.
void few_layers(const FewStack* stack, const FewLayer* layers, const float* norm,
                const FewSession* sessions, int64_t num_sessions, int64_t num_rows, const float* x,
                const float* cos, const float* sin, float* k, float* v, float* out);
}

// Weight number `index` of several.
FewMatrix few_part(const FewMatrix& weights, int64_t index);

// Where a feed-forward works, for r rows: gate_up and hidden as wide as the widest expert's; of a
// mixture also logits [r, num_experts], weights and chosen [r, num_chosen], gathered and made
// [r, dim], outputs [r, num_chosen, dim], pairs [r].
struct FewRoom {
    float *gate_up, *hidden, *logits, *weights, *gathered, *made, *outputs;
    int64_t *chosen, *pairs;
};

// x, out [num_rows, dim]
void few_feed_forward(const FewStack& stack, const FewLayer& layer, const float* x,
                      int64_t num_rows, const FewRoom& room, float* out);
