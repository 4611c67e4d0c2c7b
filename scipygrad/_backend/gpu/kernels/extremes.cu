// Largest and smallest of the numbers of segments: one thread for each segment.
// T: float, double (complex numbers have no order: their real parts are compared); I: int,
// long long.

template <typename T>
__device__ T key_of(T x) { return x; }
template <typename T>
__device__ T key_of(complex<T> x) { return x.real(); }

// out[s] = the largest (else smallest) x[order[t]] for t in begin[s] .. begin[s + 1]; nan if there
// is one, 0 if there is nothing
template <typename T, typename I>
__global__ void segment_extreme(T* out, const T* x, const I* order, const long long* begin,
                                int largest, long long n) {
    long long s = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (s >= n) return;
    long long t = begin[s], end = begin[s + 1];
    T found = t < end ? x[order[t]] : T(0);
    for (++t; t < end; ++t) {
        T v = x[order[t]];
        auto a = key_of(v), b = key_of(found);
        if (b != b) break;
        if (a != a || (largest ? a > b : a < b)) found = v;
    }
    out[s] = found;
}
