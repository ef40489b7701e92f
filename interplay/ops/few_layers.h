// What the native parts of a pass of few rows know of each other; `few_layers.py` mirrors it.
#pragma once

#include <cstdint>

extern "C" {

// Widths that tile: head width a multiple of 64, at most 256. Blocks: how many terms a product
// adds up from zero. prefix_columns: of an arena, before its window area. capacity: its columns.
struct FewAttention {
    int64_t heads, kv_heads, width, window, prefix, prefix_columns, capacity;
    int64_t score_block, value_block;
    float scale;
};

// Rows of one session go to `column` and on, and are at position `length` and on. base: position
// of the window area's first column. begin: the first column to look at, a multiple of 512.
struct FewSession {
    int64_t slot, column, length, base, begin;
};

struct FewLayer {
    const float *attention_norm, *qkv, *q_norm, *k_norm, *out, *ff_norm, *gate_up, *down;
};

typedef void (*Exponential)(int64_t num, const float* x, float* out, int64_t mode);

struct FewStack {
    FewAttention attention;
    int64_t num_layers, num_slots, dim, ff_dim;
    int64_t qkv_block, out_block, gate_up_block, down_block;
    float eps;
    Exponential exponential;
    int64_t mode;
};

// x [num_rows, k], weight [n, k], out [num_rows, n]; k and block are multiples of 8.
void few_rows(const float* x, const float* weight, float* out, int64_t num_rows, int64_t n,
              int64_t k, int64_t block);

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

// x, out [num_sessions * num_rows, dim]; cos, sin [num_sessions * num_rows, width / 2]; k, v
// [num_layers, num_slots, kv_heads, capacity, width], to which the rows' own are written.
void few_layers(const FewStack* stack, const FewLayer* layers, const float* norm,
                const FewSession* sessions, int64_t num_sessions, int64_t num_rows, const float* x,
                const float* cos, const float* sin, float* k, float* v, float* out);
}
