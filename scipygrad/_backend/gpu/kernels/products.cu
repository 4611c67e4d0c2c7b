// Sparse products on given patterns. Nothing here needs atomics, so results do not vary.
// T: float, double, complex<float>, complex<double>; I: int, long long.

// out[e] = sum over c of G[rows[e], c] X[columns[e], c], G and X row by row with k columns
template <typename T, typename I>
__global__ void sampled_outer(T* out, const T* G, const T* X, const I* rows, const I* columns,
                              long long k, long long n) {
    long long e = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (e >= n) return;
    const T* g = G + (long long)rows[e] * k;
    const T* x = X + (long long)columns[e] * k;
    T sum = T(0);
    for (long long c = 0; c < k; ++c) sum += g[c] * x[c];
    out[e] = sum;
}

// out[s] = sum of x[of_x[t]] y[of_y[t]] for t in begin[s] .. begin[s + 1]
template <typename T, typename I>
__global__ void segment_products(T* out, const T* x, const T* y, const I* of_x, const I* of_y,
                                 const long long* begin, long long n) {
    long long s = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (s >= n) return;
    T sum = T(0);
    for (long long t = begin[s]; t < begin[s + 1]; ++t) sum += x[of_x[t]] * y[of_y[t]];
    out[s] = sum;
}
