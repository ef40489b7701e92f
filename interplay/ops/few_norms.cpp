// Root-mean-square norms and rotary positions of a row in one pass, with the bits of torch's own
// operations. Knows nothing of torch: pointers and sizes only.
//
// torch adds up a row in four streams of eight lanes, on AVX-512, too; every sixteen vectors a
// stream's sum moves to a second one. Then streams, then lanes are added in order. So does this.

#include <immintrin.h>

#include <cmath>
#include <cstdint>

namespace {

constexpr int LANES = 8, STREAMS = 4, STEP = 16;

float inverse_rms(const float* x, int64_t width, float eps) {
    const int64_t num = width / (LANES * STREAMS);
    __m256 stream[STREAMS];
    for (int s = 0; s < STREAMS; s++) {
        __m256 total = _mm256_setzero_ps(), sum = _mm256_setzero_ps();
        for (int64_t i = 0; i < num; i++) {
            const __m256 value = _mm256_loadu_ps(x + (i * STREAMS + s) * LANES);
            sum = _mm256_add_ps(sum, _mm256_mul_ps(value, value));
            if (i % STEP == STEP - 1) {
                total = _mm256_add_ps(total, sum);
                sum = _mm256_setzero_ps();
            }
        }
        stream[s] = _mm256_add_ps(sum, total);
    }
    for (int s = 1; s < STREAMS; s++) stream[0] = _mm256_add_ps(stream[0], stream[s]);
    float lanes[LANES], sum = 0;
    _mm256_storeu_ps(lanes, stream[0]);
    for (const float lane : lanes) sum += lane;
    return 1 / std::sqrt(sum / static_cast<float>(width) + eps);
}

}  // namespace

// x, out [num_rows, width], weight [width]; width is a multiple of 32.
extern "C" void rms_norm(const float* x, const float* weight, float* out, int64_t num_rows,
                         int64_t width, float eps) {
    for (int64_t r = 0; r < num_rows; r++, x += width, out += width) {
        const float inverse = inverse_rms(x, width, eps);
        for (int64_t i = 0; i < width; i++) out[i] = x[i] * inverse * weight[i];
    }
}

// x [num_rows, heads, width], rows `stride` apart; weight [heads, width]; cos, sin
// [num_rows, width / 2]; out [num_rows, heads, width].
extern "C" void norm_and_rotate(const float* x, int64_t stride, const float* weight,
                                const float* cos, const float* sin, float* out, int64_t num_rows,
                                int64_t heads, int64_t width, float eps) {
    const int64_t half = width / 2;
    for (int64_t r = 0; r < num_rows; r++, x += stride, cos += half, sin += half)
        for (int64_t h = 0; h < heads; h++, out += width) {
            const float *value = x + h * width, *scale = weight + h * width;
            const float inverse = inverse_rms(value, width, eps);
            for (int64_t i = 0; i < half; i++) {
                const float a = value[i] * inverse * scale[i];
                const float b = value[i + half] * inverse * scale[i + half];
                out[i] = std::fma(-b, sin[i], a * cos[i]);
                out[i + half] = std::fma(a, sin[i], b * cos[i]);
            }
        }
}
